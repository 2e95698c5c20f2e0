"""Which floating-point type this machine computes in. It is no part of a fingerprint: it decides speed and memory."""

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
GAIN = 1.1
"""bfloat16 has to be so much faster: it is the coarser type."""


def training() -> "torch.dtype":
    """`TUNER_DTYPE`, or bfloat16 where the hardware multiplies in it, since it halves the memory; else float32."""
    import torch

    chosen = settings().dtype
    if chosen == "auto":
        chosen = "bfloat16" if _native() else "float32"
    return getattr(torch, chosen)


def in_float32(model: "torch.nn.Module") -> None:
    """Has a model whose weights are kept in a smaller type compute in float32, a layer's weights at a time.

    Args:
        model: Is changed. What quantizes its own weights stays as it is.
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
    """`TUNER_DTYPE`, or on a CPU the faster type, measured once on a machine and kept in its home folder.

    A processor's flags do not tell: with AVX512-BF16 alone bfloat16 is faster on some and slower on others. It is
    kept, so that a run that goes on after a crash goes on in the same type.
    """
    import torch

    if settings().dtype != "auto" or device() != "cpu" or not _native():
        return training()
    kept = settings().folder("cache") / "precision.json"
    machine = f"{torch.__version__}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    if machine not in known:
        known[machine] = "bfloat16" if _gain() >= GAIN else "float32"
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(known))
        partial.replace(kept)
    return getattr(torch, known[machine])


def _native() -> bool:
    import torch

    if device() == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Without these instructions bfloat16 on a CPU is emulated and slower than float32.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _gain() -> float:
    """How many times faster bfloat16 multiplies a decoding step's matrices, the median of rounds taken in turns."""
    import torch

    inputs, weights = torch.ones(32, 1024), torch.ones(4096, 1024)
    pairs = [(inputs.to(kind), weights.to(kind)) for kind in (torch.float32, torch.bfloat16)]
    ratios = []
    for _ in range(ROUNDS):
        seconds = []
        for a, b in pairs:
            clock = time.perf_counter()
            torch.nn.functional.linear(a, b)
            seconds.append(time.perf_counter() - clock)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)
