"""Whether a student can carry the adapters of a recipe, from its configuration and tokenizer, without its weights."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.models import loading
from tuner.models.memory import is_out_of_memory
from tuner.settings import settings
from tuner.training.methods import Method

if TYPE_CHECKING:
    from tuner.models.chat import Chat


def check(student: "Chat", adapters: Mapping[str, Method]) -> None:
    """Builds the student without memory for its weights, and adds every adapter to it.

    Args:
        student: Its tokenizer and chat template.
        adapters: The methods by the adapters' names.

    Raises:
        InputError: If the student is no causal language model, has no embedding for a token that conversations need,
            or cannot carry an adapter; or if the processes of a training cannot share its batches.
    """
    processes = settings().train_processes
    for name, method in adapters.items():
        if method.batch_size % processes:
            raise InputError(
                f"training.{name}.batch_size: {method.batch_size} rows cannot be shared equally by the {processes} "
                f"processes of TUNER_TRAIN_PROCESSES; choose a multiple of {processes}"
            )
    path, _ = loading.resolve(student.model, weights=False)
    model: Any = loading.skeleton(student.model)
    rows = model.get_input_embeddings().weight.shape[0]
    for token, number in _needed(student).items():
        if number >= rows:
            raise InputError(
                f"model {student.model}: its tokenizer's {token!r} is token {number:,}, but it has {rows:,} embeddings"
            )
    for name, method in adapters.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training shows those that matter
            adapted(loading.skeleton(student.model), name, method, str(path), student.model)


def adapted(model: Any, name: str, method: Method, tokenizer_path: str, student: str) -> Any:
    """See `Method.adapted`.

    Args:
        model: The student.
        name: The adapter's name in the recipe.
        method: Its method.
        tokenizer_path: The folder of the student's tokenizer.
        student: The student, as written in the recipe.

    Raises:
        InputError: If the student cannot carry the adapter.
    """
    try:
        return method.adapted(model, tokenizer_path)
    except InputError as error:
        raise InputError(f"training.{name}: {error}") from None
    except (ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise
        raise InputError(f"training.{name}: {_reason(error, student)}") from None


def _needed(student: "Chat") -> dict[str, int]:
    """The tokens of a conversation, of its end and of padding, with their ids."""
    tokenizer = student.tokenizer
    said = student.encode([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}], 100_000)
    ids = [*said.ids, *student.stop_ids, tokenizer.pad_token_id]
    return dict(zip(tokenizer.convert_ids_to_tokens(ids), ids, strict=True))


def _reason(error: Exception, model: str) -> str:
    if "ParamWrapper does not work with lora_dropout" in str(error):
        return f"the experts of {model} cannot be adapted with dropout; set dropout to 0"
    return f"PEFT cannot add this adapter to {model}: {' '.join(str(error).split())}"
