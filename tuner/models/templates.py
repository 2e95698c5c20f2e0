"""What a chat template renders around the words of a turn, found by rendering placeholders.

No table of templates is needed: what the tokenizer's own template renders before the user's words, including a default
system turn, is the prefix that Magpie lets the model continue (arXiv 2406.08464); what it renders after them shows how
the user's turn ends, and what it renders around an answer shows how that begins and ends.
"""

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from tuner.errors import InputError
from tuner.models import thoughts

# transformers types a tokenizer's attributes as whatever any of them may be.
Tokenizer = Any
Message = dict[str, Any]

SENTINEL = "SENTINEL7f3a9cWORDS"
"""A placeholder for the user's words, of letters and digits only, so that no template trims or escapes it."""
ANSWER = "SENTINEL4d8e2bREPLY"
"""Likewise for the assistant's."""
THOUGHTS = "SENTINEL1c6f5dTHINK"
"""Likewise for its thoughts."""
_THOUGHTS_KEYS = ("reasoning_content", "reasoning", "thinking")

BLANK_LINE = "\n\n"
"""Parts thoughts from the answer where a template does not say what does."""

RENDERING = (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a template may raise on messages that it does not expect."""

_DIRECTIVES = "aAbBdHIjmMpSUwWyYZzcxX"


@dataclass(frozen=True)
class Template:
    """A chat template, cut at the words of a user's turn and of the answer to it.

    Attributes:
        prefix: The text before the user's words.
        suffix: The text after them, up to where the model goes on.
        turn_end: The text that ends the user's turn, such as `<|im_end|>` or `[/INST]`; empty if there is none.
        lead: What stands between the suffix and the answer's words, such as the end of thoughts that the suffix begins.
        thinking: What stands between the suffix and thoughts, and between thoughts and the answer's words; None if the
            template shows none.
        ending: What follows these words, up to the token at which a server stops.
        answer_end: The text that ends the answer's turn: the first token of the ending, unless what stands behind the
            answer has no token and is words (as in a template of another model); then the first line of that.
        in_parts: Whether content is rendered only as a list of parts (`[{"type": "text", "text": ...}]`).
    """

    prefix: str
    suffix: str
    turn_end: str
    lead: str
    ending: str
    answer_end: str
    thinking: tuple[str, str] | None = None
    in_parts: bool = False

    def answer_prompt(self, instruction: str) -> str:
        """The prompt for the response to an instruction."""
        return f"{self.prefix}{instruction}{self.suffix}"


def of(tokenizer: Tokenizer, model: str, stops: Collection[str] = ()) -> Template:
    """The template of a tokenizer.

    Args:
        tokenizer: With or without a chat template.
        model: The model's name, for the error.
        stops: Tokens at which servers of the model stop, besides the tokenizer's end token.

    Raises:
        InputError: If there is no chat template, it does not render the words of both turns once and unchanged, or
            nothing could end an answer.
    """
    if not tokenizer.chat_template:
        raise InputError(
            f"model {model} has no chat template, so no instructions can be generated; choose a chat model, or set "
            "models.chat_template"
        )
    in_parts = False
    prompt = _rendered(tokenizer, model, [_turn("user", SENTINEL)], add_generation_prompt=True)
    if SENTINEL not in prompt:
        parts = _rendered(tokenizer, model, [_turn("user", SENTINEL, True)], add_generation_prompt=True)
        in_parts, prompt = SENTINEL in parts, parts if SENTINEL in parts else prompt
    if prompt.count(SENTINEL) != 1:
        raise InputError(f"model {model}: its chat template renders the user's words {prompt.count(SENTINEL)} times")
    prefix, suffix = prompt.split(SENTINEL)
    turns = [_turn("user", SENTINEL, in_parts), _turn("assistant", ANSWER, in_parts)]
    whole = _rendered(tokenizer, model, turns)
    if whole.count(ANSWER) != 1:
        raise InputError(f"model {model}: its chat template renders the assistant's words {whole.count(ANSWER)} times")
    head, tail = whole.split(ANSWER)
    tokens = [token for token in tokenizer.get_added_vocab() if token.strip()]
    end = tokenizer.eos_token
    ending = _ending(tail, tokens, {*stops, *([end] if end else [])}, str(end or ""))
    if not ending:
        raise InputError(
            f"model {model}: its chat template renders no token after the assistant's words, and its tokenizer has no "
            "end token, so that an answer could not end"
        )
    lead, marks = _lead(prompt, head), [*tokens, *stops]
    words = tail.strip().splitlines()[:1] if _first(tail, marks)[1] == "" else []
    answer_end = words[0] if words else _first(ending, marks)[1]
    thinking = _thinking(tokenizer, prompt, lead, turns)
    return Template(prefix, suffix, _turn_end(suffix, tokens), lead, ending, answer_end, thinking, in_parts)


def render(tokenizer: Tokenizer, messages: list[Message], tools: str | None = None, **options: Any) -> str:
    """A conversation as text; encode it with `add_special_tokens=False`, since the template contains them.

    Args:
        tokenizer: With a chat template.
        messages: With `role` and `content`.
        tools: The descriptions of tools, as JSON.
        options: Of `apply_chat_template`.
    """
    described = None if tools is None else json.loads(tools)
    return str(tokenizer.apply_chat_template(messages, tools=described, tokenize=False, **options))


def settled(text: str, date: datetime.date, variables: Mapping[str, Any]) -> str:
    """A chat template that reads nothing from the world: its date is fixed, and its variables have defaults.

    What is trained is then what any server renders from the template that is saved with the adapter.

    Args:
        text: The template.
        date: The date that `strftime_now` gives, at noon.
        variables: Plain values by name, such as `{"enable_thinking": False}`; what a server is given explicitly wins.
    """
    head = "".join(
        f"{{% if {name} is not defined %}}{{% set {name} = {_literal(value)} %}}{{% endif %}}"
        for name, value in variables.items()
    )
    if "strftime_now" in text:
        noon = datetime.datetime.combine(date, datetime.time(12))
        filters = "".join(
            f" | replace('%{flag}{directive}', {_literal(noon.strftime(f'%{flag}{directive}'))})"
            for directive in _DIRECTIVES
            for flag in ("-", "")
        )
        head = f"{{% macro strftime_now(format) %}}{{{{ format{filters} }}}}{{% endmacro %}}{head}"
    # The empty text keeps a line break at the template's beginning, which Jinja drops after a block.
    return f"{head}{{{{ '' }}}}{text}" if head else text


def lent(tokenizer: Tokenizer, template: str) -> str:
    """Another model's chat template for one that has none (a base model).

    Special tokens that the model does not know become ordinary text to it. If its texts begin with a token of their
    own, as a model's does that was trained so, conversations do too.
    """
    begins = list(tokenizer("a")["input_ids"])[:1] == [tokenizer.bos_token_id]
    return f"{{{{ bos_token }}}}{template}" if begins and "bos_token" not in template else template


def as_parts(messages: list[Message]) -> list[Message]:
    """Messages whose content is a list of one text."""
    return [{**message, "content": [{"type": "text", "text": message["content"]}]} for message in messages]


def _turn(role: str, content: str, in_parts: bool = False) -> Message:
    message = {"role": role, "content": content}
    return as_parts([message])[0] if in_parts else message


def _rendered(tokenizer: Tokenizer, model: str, messages: list[Message], **options: Any) -> str:
    try:
        return render(tokenizer, messages, **options)
    except RENDERING as error:
        turns = "a single user turn" if len(messages) == 1 else "a user's turn and its answer"
        reason = "it wants tools" if _wants_tools(tokenizer, messages) else error
        raise InputError(f"model {model}: its chat template cannot render {turns} ({reason})") from None


def _wants_tools(tokenizer: Tokenizer, messages: list[Message]) -> bool:
    """Whether the template renders the conversation only with a list of tools, which no server gives it by itself."""
    try:
        render(tokenizer, messages, "[]")
    except RENDERING:
        return False
    return True


def _first(text: str, tokens: Collection[str]) -> tuple[int, str]:
    """Where the first of some tokens begins in a text, and which; its end and an empty text if there is none."""
    found = [(text.find(token), -len(token), token) for token in tokens if token and token in text]
    at, _, token = min(found, default=(len(text), 0, ""))
    return at, token


def _turn_end(suffix: str, tokens: Collection[str]) -> str:
    """The first added token of the suffix, or the line before it, since a part of it may be the user's own words."""
    at, token = _first(suffix, tokens)
    before = suffix[:at]
    if not before.strip():
        return token
    lines = before.splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip())
    return ("\n" if first else "") + lines[first].strip()


def _lead(prompt: str, head: str) -> str:
    """What stands between a prompt and an answer without thoughts, which ends those that the prompt has begun.

    Args:
        prompt: The conversation up to the answer, with the generation prompt.
        head: The conversation with the answer, up to its words.
    """
    begun = thoughts.opened(prompt)
    if begun is None:
        return head.removeprefix(prompt) if head.startswith(prompt) else ""
    opening, closing = begun
    before = prompt if head.startswith(prompt) else prompt[: prompt.rindex(opening)]
    lead = head.removeprefix(before) if head.startswith(before) else ""
    if closing not in lead:
        return f"{closing}{lead or BLANK_LINE}"
    return lead if before == prompt else lead[lead.index(closing) :]


def _thinking(tokenizer: Tokenizer, prompt: str, lead: str, turns: list[Message]) -> tuple[str, str] | None:
    """What stands before and behind the thoughts of an answer to a prompt."""
    *asked, answered = turns
    try:
        whole = render(tokenizer, [*asked, {**answered, **dict.fromkeys(_THOUGHTS_KEYS, THOUGHTS)}])
    except RENDERING:
        whole = ""
    head, _, rest = whole.partition(THOUGHTS)
    between, shown, _ = rest.partition(ANSWER)
    if shown and THOUGHTS not in between and head.startswith(prompt):
        return head.removeprefix(prompt), between
    # The template leaves thoughts out of a conversation, but prompts for them.
    return ("", f"\n{lead.lstrip()}") if thoughts.opened(prompt) else None


def _ending(tail: str, tokens: Collection[str], stops: Collection[str], end: str) -> str:
    """What follows an answer, up to a token that stops a server; if the template renders none, the end token."""
    at, stop = _first(tail, stops)
    if stop:
        return tail[: at + len(stop)]
    at, token = _first(tail, tokens)
    return (tail[: at + len(token)] if token and not tail[:at].strip() else "") + end


def _literal(value: Any) -> str:
    """A plain value as Jinja writes it, which also knows the names of JSON, except for `null`."""
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
