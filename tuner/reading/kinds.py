"""The known kinds of rows: how each is recognised from the columns, and how its rows are read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tuner.errors import InputError
from tuner.models.thoughts import MARKERS, split
from tuner.reading import turns
from tuner.reading.pieces import Column
from tuner.reading.turns import MEDIA, Turn, UnfitError, type_name

TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog")
"""Columns of whole conversations."""
ASKED = ("instruction", "prompt", "question", "query", "problem", "input")
ANSWERED = ("output", "completion", "response", "answer", "solution", "chosen")
"""Columns of what is asked and answered, in order of preference. Of preferences the chosen answer is read."""
PAIRS = (("user", "assistant"), ("human", "assistant"), ("human", "bot"), ("inputs", "targets"), ("input", "target"))
"""Columns that mean what is asked and answered only together."""
BESIDE = {
    "input": ("input", "context"),
    "system": ("system", "system_prompt"),
    "history": ("history",),
    "tools": ("tools", "functions"),
    "thoughts": ("thoughts", "reasoning_content", "thinking"),
}
"""Columns that are read beside those, by what they hold: what the question is about follows it after a blank line; the
system turn and earlier exchanges come before it; descriptions of tools, and the thoughts before the last answer, get a
column of their own."""

_BLANK_LINE = "\n\n"
_SHOWN = 12
"""Columns that an error names."""


class Conversation(NamedTuple):
    """The content of a row.

    Attributes:
        instruction: The user's turns, separated by blank lines.
        response: The assistant's turns, likewise.
        roles: The role of each turn.
        contents: The text of each turn.
        tools: The descriptions of the tools it may call, as JSON; None without.
        thoughts: What the assistant thought before its last turn.
        earlier_thoughts: The number of its other turns with thoughts, which are not kept: templates show the last.
        cut: Turns after the assistant's last one, which are not kept.
    """

    instruction: str
    response: str
    roles: list[str]
    contents: list[str]
    tools: str | None = None
    thoughts: str = ""
    earlier_thoughts: int = 0
    cut: int = 0


@dataclass(frozen=True)
class Kind:
    """One layout of rows.

    Attributes:
        asked: The column of the question; or of whole conversations, if there is none of answers.
        answered: The column of the answer.
        beside: The columns that it reads if the file has them, by what they hold (the keys of `BESIDE`).
    """

    asked: str
    answered: str | None = None
    beside: Mapping[str, Sequence[str]] = field(default_factory=lambda: BESIDE)

    @property
    def of_turns(self) -> bool:
        """Whether the first column holds lists of turns in any case."""
        return self.answered is None or self.asked.lower() in TURNS

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that it needs."""
        return (self.asked,) if self.answered is None else (self.asked, self.answered)

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns that it reads if the file has them."""
        beside = [name for key in self.beside if not (self.of_turns and key == "input") for name in self.beside[key]]
        return tuple(name for name in dict.fromkeys([*beside, *MEDIA]) if name not in self.fields)

    def spelled(self, names: Mapping[str, str]) -> "Kind":
        """The same kind with its columns named as in the file, by their names in lower case."""
        beside = {key: tuple(names.get(name, name) for name in names_) for key, names_ in self.beside.items()}
        answered = None if self.answered is None else names[self.answered]
        return Kind(names[self.asked], answered, beside)

    def name(self, columns: Mapping[str, Column]) -> str:
        """What it reads of these columns, as shown to users."""
        return ", ".join(name for name in (*self.fields, *self.optional) if name in columns)

    def read(self, record: Mapping[str, Any]) -> Conversation:
        """Reads the fields of a row.

        Raises:
            UnfitError: If it cannot be read.
        """
        if media := next((name for name in MEDIA if record.get(name)), None):
            raise UnfitError(f"the row has {media}, and only text is read")
        said = self._before(record)
        if self.answered is not None:
            said = _with_answer(said, record.get(self.answered), self.answered)
        if history := [turn for name in self._beside("history") for turn in turns.of_history(record.get(name))]:
            first = next((at for at, turn in enumerate(said) if turn.role != "system"), len(said))
            said = [*said[:first], *history, *said[first:]]
        for name in self._beside("system"):
            if record.get(name) is not None and (words := _text(record, name)).strip():
                said = _with_system(said, words)
        described = (turns.of_tools(name, record.get(name)) for name in self._beside("tools"))
        thoughts = (_text(record, name) for name in self._beside("thoughts") if record.get(name) is not None)
        return _conversation(said, next(filter(None, described), None), next(filter(None, thoughts), ""))

    def unread_keys(self, record: Mapping[str, Any]) -> set[str]:
        """Keys of the turns of a row that are not read."""
        return {
            f"{name}[].{key}"
            for name in self.fields
            if isinstance(record.get(name), list)
            for key in turns.unread_keys(record[name])
        }

    def _beside(self, what: str) -> Sequence[str]:
        return [name for name in self.beside.get(what, ()) if name not in self.fields]

    def _before(self, record: Mapping[str, Any]) -> list[Turn]:
        value = record.get(self.asked)
        if self.of_turns or turns.is_dialogue(value):
            return turns.of_conversation(self.asked, value)
        if isinstance(value, list):
            return turns.of_list(self.asked, value)
        texts = [_text(record, self.asked)]
        texts += [_text(record, name) for name in self._beside("input") if record.get(name) is not None]
        return [Turn("user", _BLANK_LINE.join(filter(None, texts)))]


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
    # Names are compared without case; of two that differ in it alone the one in lower case counts.
    names = {name.lower(): name for name in columns} | {name: name for name in columns}
    rows = [_rows(kind, {name: columns[spelled] for name, spelled in names.items()}) for kind in KINDS]
    if most := max(rows):
        return next(kind for kind, number in zip(KINDS, rows, strict=True) if 2 * number >= most).spelled(names)
    raise InputError(f"{path}: rows of an unknown kind: its columns are {shown(columns)}; known: {KNOWN}")


def is_row(record: Mapping[str, Any]) -> bool:
    """Whether an object has the columns of a known kind."""
    names = {name.lower() for name in record}
    return any(names.issuperset(kind.fields) for kind in KINDS)


def chosen(mapping: Mapping[str, str], columns: Mapping[str, Column], path: str) -> Kind:
    """The kind of rows whose columns the user names.

    Args:
        mapping: Columns by what they hold: `messages`, or `prompt` and `response`; and keys of `BESIDE`.
        columns: By name.
        path: The name of the file in errors.

    Raises:
        InputError: If the mapping is no kind, or a column is missing.
    """
    given = set(mapping)
    if unknown := given - {"messages", "prompt", "response", *BESIDE}:
        raise InputError(f"--columns: {min(unknown)} is none of messages, prompt, response, {', '.join(BESIDE)}")
    if given - {*BESIDE} not in ({"messages"}, {"prompt", "response"}):
        raise InputError("--columns: name prompt and response, or messages: --columns prompt=A,response=B")
    if missing := [name for name in mapping.values() if name not in columns]:
        raise InputError(f"--columns: {path} has no column {missing[0]}; its columns are {shown(columns)}")
    beside = {key: (mapping[key],) for key in BESIDE if key in mapping}
    return Kind(mapping.get("messages") or mapping["prompt"], mapping.get("response"), beside)


def shown(columns: Mapping[str, Column]) -> str:
    """The columns of a file, as errors name them."""
    names = [f"{name} (lists)" if column.lists else name for name, column in columns.items()]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _rows(kind: Kind, columns: Mapping[str, Column]) -> int:
    first, *others = (columns.get(name, Column(0, 0)) for name in kind.fields)
    return min([first.lists if kind.of_turns else first.rows, *(column.rows for column in others)])


def _with_answer(said: list[Turn], value: Any, column: str) -> list[Turn]:
    if isinstance(value, str):
        return [*said, Turn("assistant", value)]
    if isinstance(value, dict):
        return [*said, turns.of_object(value)]
    if not isinstance(value, list):
        raise UnfitError(f"{column} is {type_name(value)}, not text")
    answer = turns.of_list(column, value)
    # The answers of some preferences repeat the question.
    return answer if any(turn.role == "user" for turn in answer) else [*said, *answer]


def _with_system(said: list[Turn], words: str) -> list[Turn]:
    if not said or said[0].role != "system":
        return [Turn("system", words), *said]
    texts = dict.fromkeys([words, said[0].content])
    return [Turn("system", _BLANK_LINE.join(texts)), *said[1:]]


def _conversation(said: Sequence[Turn], tools: str | None, thoughts: str) -> Conversation:
    roles = [turn.role for turn in said]
    if "user" not in roles:
        raise UnfitError("the conversation has no turn by the user")
    end = max((at + 1 for at, role in enumerate(roles) if role == "assistant"), default=0)
    if "user" not in roles[:end]:
        raise UnfitError("no turn by the assistant follows one by the user")
    kept = [_parted(turn) for turn in said[:end]]
    *earlier, last = (turn.thoughts for turn in kept if turn.role == "assistant")
    instruction, response = (
        _BLANK_LINE.join(turn.content for turn in kept if turn.role == role) for role in ("user", "assistant")
    )
    return Conversation(
        instruction,
        response,
        roles[:end],
        [turn.content for turn in kept],
        tools,
        thoughts or last,
        sum(map(bool, earlier)),
        len(said) - end,
    )


def _parted(turn: Turn) -> Turn:
    """A turn with the thoughts that its content begins with apart."""
    if turn.role != "assistant" or not any(mark in turn.content for pair in MARKERS for mark in pair):
        return turn
    said = split(turn.content)
    return Turn(turn.role, said.answer, turn.thoughts or said.thoughts)


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise UnfitError(f"{name} is {type_name(value)}, not text")
    return value


KINDS = (
    *(Kind(name, "chosen") for name in TURNS),
    *(Kind(name) for name in TURNS),
    *(Kind(asked, answered) for asked in ASKED for answered in ANSWERED),
    *(Kind(*pair) for pair in PAIRS),
    Kind("chosen"),
    Kind("text"),
)
"""In order of preference."""

KNOWN = (
    f"{', '.join(TURNS)}, chosen or text, as lists of turns or dialogues; or one of {', '.join(ASKED)} with one of "
    f"{', '.join(ANSWERED)}; or {', '.join(map(' and '.join, PAIRS))}; "
    "others are read as --columns prompt=NAME,response=NAME says"
)
"""The known kinds, as the error names them."""
