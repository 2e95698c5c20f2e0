"""The instructions of a shard: the rows that pass all checks of single rows, without their answers.

Which of them are duplicates, and which are kept in the end, is known only when all shards are there. Candidates are
drawn for all of these, so that more rows add shards and leave the candidates of the others valid.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tuner.curation.judging.shard import passing

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Prompt:
    """What is answered.

    Attributes:
        row_id: The row.
        messages: Its conversation up to the last answer, which is left out.
        tools: The descriptions of its tools, as JSON.
    """

    row_id: str
    messages: Messages
    tools: str | None = None

    @property
    def system(self) -> bool:
        """Whether it has a system prompt of its own."""
        return any(message["role"] == "system" for message in self.messages)

    @property
    def text(self) -> str:
        """What the user asks, as one reads it: the words alone, or the turns of a conversation with their roles."""
        if len(self.messages) == 1:
            return str(self.messages[0]["content"])
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in self.messages)


def read(rows: Path, checks: Path) -> list[Prompt]:
    """The instructions of a shard.

    Args:
        rows: `rows.parquet` of a shard.
        checks: `checks.parquet` of `examine`.
    """
    passed, said = passing(rows, checks)
    ids = pl.read_parquet(rows, columns=["row_id"], glob=False)["row_id"].filter(pl.Series(passed, dtype=pl.Boolean))
    return [Prompt(row_id, messages[:-1], tools) for row_id, (messages, tools) in zip(ids.to_list(), said, strict=True)]
