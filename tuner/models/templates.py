"""What a chat template renders around the words of a turn, found by rendering it around a sentinel.

No table of templates is needed: whatever the tokenizer's own template puts before the user's words, default system
turn included, is the prefix that Magpie lets the model continue (arXiv 2406.08464), and what it puts after them tells
how the model ends a user's turn.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from tuner.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SENTINEL = "SENTINEL7f3a9cWORDS"
"""Stands for the user's words; plain letters and digits, so that no template trims or escapes it."""


@dataclass(frozen=True)
class Template:
    """A chat template, cut at the user's words.

    Attributes:
        prefix: Everything before them.
        suffix: Everything after them, up to where the assistant's words begin.
    """

    prefix: str
    suffix: str

    def answer_prompt(self, instruction: str) -> str:
        """The prompt that asks for the response to an instruction."""
        return f"{self.prefix}{instruction}{self.suffix}"

    @property
    def turn_end(self) -> str:
        """What ends a user's turn: the first word of the suffix, such as `<|im_end|>` or `[/INST]`."""
        return self.suffix.split()[0] if self.suffix.split() else ""


def of(tokenizer: "PreTrainedTokenizerBase", model: str) -> Template:
    """The template of a tokenizer.

    Args:
        tokenizer: With or without a chat template.
        model: Its name, for the error.

    Raises:
        InputError: If there is no chat template, or it does not render the user's words once and unchanged.
    """
    if not tokenizer.chat_template:
        raise InputError(f"model {model} has no chat template, so no instructions can be drawn; name a chat model")
    try:
        rendered = render(tokenizer, [{"role": "user", "content": SENTINEL}], add_generation_prompt=True)
    except TemplateError as error:
        raise InputError(f"model {model}: its chat template cannot render a single user turn ({error})") from None
    if rendered.count(SENTINEL) != 1:
        raise InputError(f"model {model}: its chat template renders the user's words {rendered.count(SENTINEL)} times")
    prefix, suffix = rendered.split(SENTINEL)
    return Template(prefix, suffix)


def render(tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]], **options: Any) -> str:
    """A conversation as text; encode it with `add_special_tokens=False`, since the template holds them."""
    return str(tokenizer.apply_chat_template(messages, tokenize=False, **options))


def ensure(student: Any, generator: Any, model: str) -> None:
    """Gives a student without a chat template (a base model) the generator's, if their vocabularies agree on it.

    Raises:
        InputError: If a special token of the generator's template is unknown to the student.
    """
    if student.chat_template:
        return
    rendered = render(generator, [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])
    special = [token for token in generator.get_added_vocab() if token in rendered]
    missing = [token for token in special if token not in student.get_vocab()]
    if missing:
        raise InputError(f"model {model} has no chat template, and does not know the generator's token {missing[0]}")
    student.chat_template = generator.chat_template
