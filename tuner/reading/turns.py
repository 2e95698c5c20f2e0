"""Reads the turns of a conversation, in the forms in which published data holds them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

_NAMES = {
    "user": ("user", "human", "prompter"),
    "assistant": ("assistant", "gpt", "chatgpt", "bing", "bard", "claude", "gemini", "model", "bot", "chatbot", "ai"),
    "system": ("system", "developer"),
    "tool": ("tool", "function", "observation", "tool_response", "ipython"),
    "call": ("function_call", "tool_call"),
}
ROLES = {name: role for role, names in _NAMES.items() for name in names}
"""The names that a turn's author may have in a file, in lower case, and the role of each. A `call` is a turn of the
assistant whose content is a call of a tool."""

MEDIA = ("image", "images", "audio", "audios", "video", "videos")
"""Columns of what is no text. Rows that have some are set aside."""

THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thoughts")
"""Keys of a turn, and columns, of what a model thought before it answered."""

_AUTHOR, _CONTENT, _CALLS = ("role", "from", "speaker"), ("content", "value", "text"), ("tool_calls", "function_call")
_PART_TEXT = ("text", "value", "content")
_READ = {*_AUTHOR, *_CONTENT, *_CALLS, *THOUGHTS}
_MARKERS = (
    re.compile(r"(?:\A\s*|\n\s*\n)(human|assistant):", re.IGNORECASE),
    re.compile(r"\s*### ?(human|assistant):", re.IGNORECASE),
)
"""What begins a turn in a dialogue that is one text: of HH-RLHF, and of Guanaco."""


class UnfitError(Exception):
    """A row that cannot be curated. The message is the reason; rows are counted by its part before a colon."""


class Turn(NamedTuple):
    """One turn.

    Attributes:
        role: `system`, `user`, `assistant` or `tool`.
        content: Its text. Calls of tools follow the words, each as JSON between `<tool_call>` and `</tool_call>`, as
            the templates of Hermes and Qwen write them.
        thoughts: What the assistant thought before, if its turn has a key for it.
    """

    role: str
    content: str
    thoughts: str = ""


def of_conversation(column: str, value: Any) -> list[Turn]:
    """The turns of a whole conversation: a list, also of texts by user and assistant in turn, or a text that holds one.

    Raises:
        UnfitError: If it is none; `column` is named in the reason.
    """
    if is_dialogue(value):
        return of_dialogue(value)
    values = parsed(column, value)
    if len(values) > 1 and all(isinstance(each, str) for each in values):
        return [Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(values)]
    return of_list(column, values)


def is_dialogue(value: Any) -> bool:
    """Whether it is a text of turns that begin with `Human:` and `Assistant:`."""
    return isinstance(value, str) and any(marker.match(value) for marker in _MARKERS)


def of_dialogue(text: str) -> list[Turn]:
    """The turns of such a text; without the last if it is empty, since a prompt may end on `Assistant:`."""
    marker = next(marker for marker in _MARKERS if marker.match(text))
    _, *parts = marker.split(text)
    turns = [Turn(ROLES[name.lower()], words.strip()) for name, words in zip(parts[::2], parts[1::2], strict=True)]
    return turns if turns[-1].content else turns[:-1]


def may_hold_turns(value: Any) -> bool:
    """Whether a value is a list, or a text that looks as if it held one: as JSON, or as a dialogue."""
    return isinstance(value, list) or (isinstance(value, str) and (value.lstrip()[:1] == "[" or is_dialogue(value)))


def of_list(column: str, values: Sequence[Any]) -> list[Turn]:
    """The turns of a list of objects, each with its author and its content.

    Raises:
        UnfitError: If one cannot be read; `column` is named in the reason.
    """
    return [turn for value in values for turn in _turns(column, value)]


def of_object(value: Mapping[str, Any]) -> Turn:
    """The turn of an object with `role` and `content`, or `from` and `value`."""
    author = _first(value, _AUTHOR)
    role = ROLES.get(author.strip().lower()) if isinstance(author, str) else None
    if role is None:
        raise UnfitError(f"a turn is by none of {', '.join(ROLES)}: {str(author)[:40]!r}")
    content, calls = _first(value, _CONTENT), _first(value, _CALLS)
    text = "" if content is None and calls else _text(content)
    if role == "call":
        return Turn("assistant", _calls_text(text))
    text = "\n".join(filter(None, [text, *_calls(calls)])) if calls else text
    return Turn(role, text, _thoughts(value, content) if role == "assistant" else "")


def of_history(value: Any) -> list[Turn]:
    """The turns of earlier exchanges: pairs of a question and its answer, or objects as in `of_list`."""
    if value is None or value == "":
        return []
    turns: list[Turn] = []
    for entry in parsed("history", value):
        if isinstance(entry, (list, tuple)) and len(entry) == 2 and all(isinstance(text, str) for text in entry):
            turns += [Turn("user", entry[0]), Turn("assistant", entry[1])]
        elif isinstance(entry, dict):
            turns.append(of_object(entry))
        else:
            raise UnfitError("history is not a list of pairs of texts, or of turns")
    return turns


def parsed(column: str, value: Any) -> list[Any]:
    """A list, or the list that a text holds as JSON."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise UnfitError(f"{column} is text, not a list of turns") from None
    if not isinstance(value, list):
        raise UnfitError(f"{column} is {type_name(value)}, not a list of turns")
    return value


def of_tools(column: str, value: Any) -> str | None:
    """The descriptions of tools as JSON text, which is what TRL takes; None if there are none."""
    if isinstance(value, str) and value.strip():
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise UnfitError(f"{column} is not valid JSON") from None
    value = [value] if isinstance(value, dict) else value
    if not value:
        return None
    if not isinstance(value, list):
        raise UnfitError(f"{column} is {type_name(value)}, not a list of tools")
    return orjson.dumps(_without_nulls(value)).decode()


def unread_keys(values: Iterable[Any]) -> set[str]:
    """The keys of turns that are not read, such as `loss_weight`."""
    return {
        key
        for turn in values
        if isinstance(turn, dict)
        for key in turn.keys() - _READ - _said(turn).keys()
        if turn[key] is not None
    }


def type_name(value: Any) -> str:
    """What a value is called in a reason."""
    match value:
        case None:
            return "missing"
        case str():
            return "text"
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _turns(column: str, value: Any) -> list[Turn]:
    if not isinstance(value, dict):
        raise UnfitError(f"a turn of {column} is {type_name(value)}, not an object")
    said = _said(value)
    return [Turn(ROLES[name.lower()], _text(words)) for name, words in said.items()] or [of_object(value)]


def _said(value: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of an object that is a question and its answer, by their author's name: `{"human": …, "bot": …}`."""
    if _first(value, _AUTHOR) is not None:
        return {}
    order = ("system", "user", "assistant")
    names = [name for name, words in value.items() if ROLES.get(name.lower()) in order and words is not None]
    return {name: value[name] for name in sorted(names, key=lambda name: order.index(ROLES[name.lower()]))}


# In Parquet every turn has the keys of all turns, with nulls.
def _first(value: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((value[key] for key in keys if value.get(key) is not None), None)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise UnfitError(f"a turn's content is {type_name(content)}, not text")
    return "\n".join(_part(part) for part in content if not _is_thought(part))


def _thoughts(turn: Mapping[str, Any], content: Any) -> str:
    """The thoughts of a turn, which it has under a key or as parts of its content."""
    parts = [_first(part, (*THOUGHTS, *_PART_TEXT)) for part in content if _is_thought(part)] if content else []
    texts = [_first(turn, THOUGHTS), *parts]
    return "\n".join(text for text in texts if isinstance(text, str))


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and str(part.get("type")) in THOUGHTS


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        text = _first(part, _PART_TEXT)
        if isinstance(text, str) and str(part.get("type") or "text").endswith("text"):
            return text
        kind = str(part.get("type"))
        if any(name in kind for name in ("image", "audio", "video")):
            raise UnfitError("a turn holds images or audio, and only text is read")
        raise UnfitError(f"a turn holds a part that is not text: {kind[:40]}")
    raise UnfitError(f"a turn's content is a list of {type_name(part)}, not of texts")


def _calls(calls: Any) -> list[str]:
    """The texts of calls, in OpenAI's form (`function` with `name` and `arguments` as text) or as plain objects."""
    lines = []
    for call in calls if isinstance(calls, list) else [calls]:
        inner = call.get("function", call) if isinstance(call, dict) else call
        if isinstance(inner, dict) and "name" in inner:
            arguments = inner.get("arguments", inner.get("parameters"))
            if isinstance(arguments, str):
                with suppress(orjson.JSONDecodeError):  # what is no valid JSON stays as written
                    arguments = orjson.loads(arguments)
            inner = {"name": inner["name"], "arguments": _without_nulls(arguments)}
        text = inner if isinstance(inner, str) else orjson.dumps(inner).decode()
        lines.append(f"<tool_call>\n{text}\n</tool_call>")
    return lines


def _calls_text(text: str) -> str:
    try:
        calls = orjson.loads(text)
    except orjson.JSONDecodeError:
        calls = text
    return "\n".join(_calls(calls)) if text.strip() else text


def _without_nulls(value: Any) -> Any:
    """Without keys whose value is null, which Parquet adds to objects."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
