"""The text that a chat template renders around a user's turn, found by rendering a sentinel.

No table of templates is needed: what the tokenizer's own template renders before the user's words, including a default
system turn, is the prefix that Magpie lets the model continue (arXiv 2406.08464), and what it renders after them shows
how the model ends a user's turn.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from tuner.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SENTINEL = "SENTINEL7f3a9cWORDS"
"""A placeholder for the user's words, of letters and digits only, so that no template trims or escapes it."""


@dataclass(frozen=True)
class Template:
    """A chat template, cut at the user's words.

    Attributes:
        prefix: The text before them.
        suffix: The text after them, up to where the assistant's words begin.
    """

    prefix: str
    suffix: str

    def answer_prompt(self, instruction: str) -> str:
        """The prompt for the response to an instruction."""
        return f"{self.prefix}{instruction}{self.suffix}"

    @property
    def turn_end(self) -> str:
        """The text that ends a user's turn: the first word of the suffix, such as `<|im_end|>` or `[/INST]`."""
        return self.suffix.split()[0] if self.suffix.split() else ""


def of(tokenizer: "PreTrainedTokenizerBase", model: str) -> Template:
    """The template of a tokenizer.

    Args:
        tokenizer: With or without a chat template.
        model: The model's name, for the error.

    Raises:
        InputError: If there is no chat template, or it does not render the user's words once and unchanged.
    """
    if not tokenizer.chat_template:
        raise InputError(
            f"model {model} has no chat template, so no instructions can be generated; choose a chat model"
        )
    try:
        rendered = render(tokenizer, [{"role": "user", "content": SENTINEL}], add_generation_prompt=True)
    except TemplateError as error:
        raise InputError(f"model {model}: its chat template cannot render a single user turn ({error})") from None
    if rendered.count(SENTINEL) != 1:
        raise InputError(f"model {model}: its chat template renders the user's words {rendered.count(SENTINEL)} times")
    prefix, suffix = rendered.split(SENTINEL)
    return Template(prefix, suffix)


def render(tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]], **options: Any) -> str:
    """A conversation as text; encode it with `add_special_tokens=False`, since the template contains them."""
    return str(tokenizer.apply_chat_template(messages, tokenize=False, **options))


def ensure(student: Any, generator: Any, model: str) -> None:
    """Gives a student without a chat template (a base model) the generator's, if it knows the special tokens.

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
