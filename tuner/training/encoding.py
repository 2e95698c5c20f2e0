"""The training rows as token ids."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset

    from tuner.models.chat import Chat, Encoded


def rows_of(path: Path) -> "Dataset":
    """The rows: `row_id`, `prompt` and `completion`, both lists of messages, and `tools` and `thoughts` if any."""
    from datasets import Dataset

    from tuner.artifacts import parquet

    rows = parquet.read(path)
    names = ("row_id", "prompt", "completion", "tools", "thoughts")
    return Dataset(rows.select([name for name in names if name in rows.column_names]))


def encode(rows: "Dataset", student: "Chat", max_length: int) -> "Dataset":
    """The rows as TRL takes them without encoding them itself: `input_ids`, and a `completion_mask` of zeros and ones.

    TRL would render the conversation as a whole, which for some templates does not begin with what the model is
    prompted with. Each of the assistant's turns is an example; one that is cut off at its first token is left out.
    """
    from datasets import Dataset

    return Dataset.from_list(
        [
            {"input_ids": answer.ids, "completion_mask": [0] * answer.start + [1] * (len(answer.ids) - answer.start)}
            for answer in answers(rows, student, max_length)
        ]
    )


def answers(rows: "Dataset", student: "Chat", max_length: int) -> "list[Encoded]":
    """The assistant's turns of the rows, each encoded with all before it; those without a token left are left out."""
    return [answer for row in by_row(rows, student, max_length).values() for answer in row]


def by_row(rows: "Dataset", student: "Chat", max_length: int) -> "dict[str, list[Encoded]]":
    """As `answers`, by the row's id; without rows that have no turn left."""
    encoded = {
        row["row_id"]: student.answers(
            row["prompt"] + row["completion"], max_length, row.get("tools"), row.get("thoughts")
        )
        for row in rows.to_list()
    }
    return {row_id: turns for row_id, turns in encoded.items() if turns}
