"""The student's tokenizer, with the chat template that it is trained and evaluated with."""

from typing import TYPE_CHECKING

from tuner.models import loading, templates

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenizer_of(student: str, generator: str) -> "PreTrainedTokenizerBase":
    """The tokenizer of the student; a base model without a chat template gets the generator's.

    Raises:
        InputError: If it cannot be loaded, or the generator's template does not fit it.
    """
    tokenizer = loading.load_tokenizer(student)
    if not tokenizer.chat_template:
        templates.ensure(tokenizer, loading.load_tokenizer(generator), student)
    return tokenizer
