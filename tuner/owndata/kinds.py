"""The known kinds of rows: how each is recognised from the columns, and how its rows are read."""

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
"""The names that a turn's author may have in a file, and the role of each."""

_BLANK_LINE = "\n\n"
_SHOWN = 12
"""Columns that an error names."""


class UnfitError(Exception):
    """A row that cannot be curated. The message is the reason; rows are counted by its part before a colon."""


class Conversation(NamedTuple):
    """The content of a row.

    Attributes:
        instruction: The user's turns, separated by blank lines.
        response: The assistant's turns, likewise.
        roles: The role of each turn.
        contents: The text of each turn.
    """

    instruction: str
    response: str
    roles: list[str]
    contents: list[str]


@dataclass(frozen=True)
class Kind:
    """One layout of rows.

    Attributes:
        name: Shown to users.
        fields: The columns that it needs.
        optional: The columns that it reads if the file has them.
        of_turns: Whether its column holds lists of turns.
        read: Reads the fields of a row; raises `UnfitError`.
    """

    name: str
    fields: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Conversation]
    optional: tuple[str, ...] = ()
    of_turns: bool = False


def recognise(columns: Mapping[str, Column], path: str) -> Kind:
    """Recognises the kind of the rows of a file: the first that has at least half as many rows as any other.

    Kinds of whole conversations come first, since they hold most; a few odd rows do not outvote the others.

    Args:
        columns: By name.
        path: The name of the file in errors.

    Raises:
        InputError: If no known kind has rows.
    """
    if not columns:
        raise InputError(f"{path}: holds no rows")
    rows = {kind: min(_rows(columns.get(name), kind) for name in kind.fields) for kind in KINDS}
    if most := max(rows.values()):
        return next(kind for kind in KINDS if 2 * rows[kind] >= most)
    shown = [f"{name} (lists)" if column.lists else name for name, column in columns.items()][:_SHOWN]
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    known = "; ".join(kind.name for kind in KINDS)
    raise InputError(f"{path}: rows of an unknown kind: its columns are {', '.join(shown)}{more}; known: {known}")


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
    if record.get("input") is not None and (input_ := _text(record, "input")):
        instruction = f"{instruction}{_BLANK_LINE}{input_}"
    return Conversation(instruction, response, ["user", "assistant"], [instruction, response])


def _turns(column: str) -> Callable[[Mapping[str, Any]], Conversation]:
    def read(record: Mapping[str, Any]) -> Conversation:
        turns = record.get(column)
        if not isinstance(turns, list):
            raise UnfitError(f"{column} is {_type_name(turns)}, not a list of turns")
        return _conversation(turns)

    return read


def _conversation(turns: list[Any]) -> Conversation:
    roles, contents = [], []
    for turn in turns:
        if not isinstance(turn, dict):
            raise UnfitError(f"a turn is {_type_name(turn)}, not an object")
        # In Parquet every turn has the keys of all turns, with nulls.
        author, content = (
            turn.get(key) if turn.get(key) is not None else turn.get(other)
            for key, other in (("role", "from"), ("content", "value"))
        )
        role = ROLES.get(author) if isinstance(author, str) else None
        if role is None:
            raise UnfitError(f"a turn is by none of {', '.join(ROLES)}: {str(author)[:40]!r}")
        if not isinstance(content, str):
            raise UnfitError(f"a turn's content is {_type_name(content)}, not text")
        roles.append(role)
        contents.append(content)
    if "user" not in roles:
        raise UnfitError("the conversation has no turn by the user")
    if roles[-1] != "assistant":
        raise UnfitError("the conversation does not end with the assistant")
    by_role = {"user": [], "assistant": [], "system": []}
    for role, content in zip(roles, contents, strict=True):
        by_role[role].append(content)
    return Conversation(_BLANK_LINE.join(by_role["user"]), _BLANK_LINE.join(by_role["assistant"]), roles, contents)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise UnfitError(f"{name} is {_type_name(value)}, not text")
    return value


def _type_name(value: Any) -> str:
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
"""In order of preference."""
