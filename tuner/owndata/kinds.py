"""The kinds of rows that are known, each recognised from its columns, and what a row of it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tuner.errors import InputError
from tuner.owndata.pieces import Column

ROLES = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "system": "system",
}
"""What a turn's author may be called, and what that is here."""

_BLANK_LINE = "\n\n"
_SHOWN = 12
"""Columns that an error names."""


class UnfitError(Exception):
    """A row that cannot be curated; the text says why, before a colon what is counted together."""


class Conversation(NamedTuple):
    """What a row says.

    Attributes:
        instruction: The user's turns, with a blank line between them.
        response: The assistant's turns, likewise.
        roles: Of all turns, in order.
        contents: Of all turns, in order.
    """

    instruction: str
    response: str
    roles: list[str]
    contents: list[str]


@dataclass(frozen=True)
class Kind:
    """One way to lay out rows.

    Attributes:
        name: For people.
        fields: The columns it needs.
        optional: The columns it reads too if they are there.
        of_turns: Whether its column holds lists of turns.
        read: Reads a row's fields; raises `UnfitError`.
    """

    name: str
    fields: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    optional: tuple[str, ...] = ()
    of_turns: bool = False


def recognise(columns: Mapping[str, Column], path: str) -> Kind:
    """The kind of rows that a file has: the first that at least half as many rows are of as of any other.

    Whole conversations come first, since they say most; but a few odd rows do not decide what the others are.

    Args:
        columns: By name.
        path: What to call the file in errors.

    Raises:
        InputError: If it is none of the known.
    """
    if not columns:
        raise InputError(f"{path}: holds no rows")
    rows = {kind: min(_rows(columns.get(name), kind) for name in kind.fields) for kind in KINDS}
    if most := max(rows.values()):
        return next(kind for kind in KINDS if 2 * rows[kind] >= most)
    shown = [f"{name} (lists)" if column.lists else name for name, column in columns.items()][:_SHOWN]
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    known = "; ".join(kind.name for kind in KINDS)
    raise InputError(f"{path}: no kind of rows that is known: its columns are {', '.join(shown)}{more}; known: {known}")


def _rows(column: Column | None, kind: Kind) -> int:
    if column is None:
        return 0
    return column.lists if kind.of_turns else column.rows


def _pair(asked: str, answered: str) -> Callable[[Mapping[str, Any]], Conversation]:
    def read(record: Mapping[str, Any]) -> Conversation:
        before, after = record.get(asked), record.get(answered)
        if isinstance(before, list) and isinstance(after, list):
            return _conversation([*before, *after])
        instruction, response = _text(record, asked), _text(record, answered)
        return Conversation(instruction, response, ["user", "assistant"], [instruction, response])

    return read


def _alpaca(record: Mapping[str, Any]) -> Conversation:
    instruction, response = _text(record, "instruction"), _text(record, "output")
    if record.get("input") is not None and (given := _text(record, "input")):
        instruction = f"{instruction}{_BLANK_LINE}{given}"
    return Conversation(instruction, response, ["user", "assistant"], [instruction, response])


def _turns(column: str) -> Callable[[Mapping[str, Any]], Conversation]:
    def read(record: Mapping[str, Any]) -> Conversation:
        turns = record.get(column)
        if not isinstance(turns, list):
            raise UnfitError(f"{column} is {_named(turns)}, not a list of turns")
        return _conversation(turns)

    return read


def _conversation(turns: list[Any]) -> Conversation:
    roles, contents = [], []
    for turn in turns:
        if not isinstance(turn, dict):
            raise UnfitError(f"a turn is {_named(turn)}, not an object")
        # In Parquet a turn has all keys that any turn has, with nulls.
        author, content = (
            turn.get(key) if turn.get(key) is not None else turn.get(other)
            for key, other in (("role", "from"), ("content", "value"))
        )
        role = ROLES.get(author) if isinstance(author, str) else None
        if role is None:
            raise UnfitError(f"a turn is by none of {', '.join(ROLES)}: {str(author)[:40]!r}")
        if not isinstance(content, str):
            raise UnfitError(f"a turn's content is {_named(content)}, not text")
        roles.append(role)
        contents.append(content)
    if "user" not in roles:
        raise UnfitError("the conversation has no turn by the user")
    if roles[-1] != "assistant":
        raise UnfitError("the conversation does not end with the assistant")
    spoken = {"user": [], "assistant": [], "system": []}
    for role, content in zip(roles, contents, strict=True):
        spoken[role].append(content)
    return Conversation(_BLANK_LINE.join(spoken["user"]), _BLANK_LINE.join(spoken["assistant"]), roles, contents)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise UnfitError(f"{name} is {_named(value)}, not text")
    return value


def _named(value: Any) -> str:
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


KINDS = (
    Kind("messages (role, content)", ("messages",), _turns("messages"), of_turns=True),
    Kind("conversations (from, value)", ("conversations",), _turns("conversations"), of_turns=True),
    Kind("instruction, output (and input)", ("instruction", "output"), _alpaca, optional=("input",)),
    Kind("instruction, response", ("instruction", "response"), _pair("instruction", "response")),
    Kind("prompt, completion", ("prompt", "completion"), _pair("prompt", "completion")),
    Kind("prompt, response", ("prompt", "response"), _pair("prompt", "response")),
    Kind("question, answer", ("question", "answer"), _pair("question", "answer")),
)
"""In the order in which they are looked for."""
