"""The floating-point type of computation. It affects only speed and memory, so it is not part of a fingerprint."""

import json
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from tuner.models.loading import device
from tuner.settings import settings

if TYPE_CHECKING:
    import torch

ROUNDS = 15
MIN_SPEEDUP = 1.1
"""The speed-up over float32 from which bfloat16, the less precise type, is used."""


def training() -> "torch.dtype":
    """`TUNER_DTYPE`; by default bfloat16, which halves the memory, if the hardware supports it, else float32."""
    import torch

    chosen = settings().dtype
    if chosen == "auto":
        chosen = "bfloat16" if _has_bfloat16() else "float32"
    return getattr(torch, chosen)


def in_float32(model: "torch.nn.Module") -> None:
    """Makes a model with weights in a smaller type compute in float32, converting one layer's weights at a time.

    Args:
        model: The model, changed in place. Modules that quantize their own weights are not changed.
    """
    import torch
    from torch.nn import Embedding, Linear, functional

    def linear(layer: Linear) -> Callable[..., torch.Tensor]:
        bias = None if layer.bias is None else layer.bias.float()
        return lambda input: functional.linear(input, layer.weight.float(), bias)

    def embedding(layer: Embedding) -> Callable[..., torch.Tensor]:
        return lambda input: functional.embedding(input, layer.weight, layer.padding_idx).float()

    for module in model.modules():
        if type(module) is Linear:
            module.forward = linear(module)
        elif type(module) is Embedding:
            module.forward = embedding(module)
        else:
            for parameter in module.parameters(recurse=False):
                if parameter.is_floating_point():
                    parameter.data = parameter.data.float()


@lru_cache(maxsize=1)
def inference() -> "torch.dtype":
    """`TUNER_DTYPE`; by default as for training, but on a CPU the faster type, measured once.

    It is measured because the processor's flags do not decide it: with AVX512-BF16 alone, bfloat16 is faster on some
    machines and slower on others. The result is kept in the home folder, so that a run resumed after a crash continues
    in the same type.
    """
    import torch

    if settings().dtype != "auto" or device() != "cpu" or not _has_bfloat16():
        return training()
    cached = settings().folder("cache") / "precision.json"
    machine = f"{torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    types = json.loads(cached.read_text()) if cached.exists() else {}
    if machine not in types:
        types[machine] = "bfloat16" if _speedup() >= MIN_SPEEDUP else "float32"
        partial = cached.with_suffix(".partial")
        partial.write_text(json.dumps(types))
        partial.replace(cached)
    return getattr(torch, types[machine])


def _has_bfloat16() -> bool:
    import torch

    if device() == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions bfloat16 on a CPU is emulated and slower than float32.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _speedup() -> float:
    """Speed-up of bfloat16 over float32 on a decoding step's matrix product: the median of alternating rounds."""
    import torch

    inputs, weights = torch.ones(32, 1024), torch.ones(4096, 1024)
    pairs = [(inputs.to(dtype), weights.to(dtype)) for dtype in (torch.float32, torch.bfloat16)]
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for a, b in pairs:
            clock = time.perf_counter()
            torch.nn.functional.linear(a, b)
            seconds.append(time.perf_counter() - clock)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)
