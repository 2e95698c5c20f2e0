"""Made-up rows in the layout of generation, for tests of later stages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.curate import curate
from tuner.curation.duplicates.partitions import task_count
from tuner.curation.examine import examine
from tuner.curation.match import match
from tuner.curation.metrics import Curated
from tuner.curation.settings import Curation
from tuner.curation.texts import Shard

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        ("thoughts", pa.string()),
        ("messages", MESSAGES),
        ("instruction_finish", pa.string()),
        ("response_finish", pa.string()),
    ]
)

INSTRUCTION = "Explain how bread rises in the oven."
RESPONSE = (
    "Yeast eats the sugar in the dough and gives off gas. The gas is held by gluten, so the loaf grows, "
    "and the heat of the oven then sets its shape."
)


def row(index: int, instruction: str = INSTRUCTION, response: str = RESPONSE, **other: Any) -> dict[str, Any]:
    """One generated row; the default texts pass every rule."""
    messages = [{"role": "user", "content": instruction}, {"role": "assistant", "content": response}]
    return {
        "row_id": f"42-0-{index}",
        "shard": 0,
        "index": index,
        "seed": index,
        "instruction": instruction,
        "response": response,
        "messages": messages,
        "instruction_finish": "stop",
        "response_finish": "stop",
    } | other


def good(index: int) -> dict[str, Any]:
    """One generated row that passes and is no duplicate of those of other indices."""
    return row(index, f"Explain how bread number {index} rises.", f"{RESPONSE} This was loaf number {index}.")


def shard(rows: list[dict[str, Any]], path: Path) -> Path:
    """Writes rows as generation does; the messages of single exchanges are those of the texts."""
    parquet.write(pa.Table.from_pylist([_with_messages(each) for each in rows], schema=SCHEMA), path)
    return path


def _with_messages(made: dict[str, Any]) -> dict[str, Any]:
    if [turn["role"] for turn in made["messages"]] != ["user", "assistant"]:
        return made
    return made | {"messages": row(0, made["instruction"], made["response"])["messages"]}


def curated(shards: Sequence[Path], curation: Curation, folder: Path, rounds: Sequence[int] | None = None) -> Curated:
    """Runs the three stages of curation on shards, each in its own folder; returns the metrics of `curate`.

    Args:
        shards: Files of generated rows.
        curation: Which rows to keep.
        folder: Where all stages write.
        rounds: The round of each shard, sorted; by default all are of one.
    """
    examined = []
    for number, path in enumerate(shards):
        into = folder / f"examine-{number}"
        examine(path, curation, into)
        drawn = rounds[number] if rounds else 0
        examined.append(Shard(path, into / "checks.parquet", into / "signatures.parquet", drawn))
    edges, unfinished = [], 0
    for last in sorted({shard.round for shard in examined}):
        present = [shard for shard in examined if shard.round <= last]
        rows = sum(parquet.read(shard.rows).num_rows for shard in present)
        for part in range(task_count(rows, curation.duplicates)):
            into = folder / f"match-{last}-{part}"
            unfinished += match(present, curation.duplicates, part, rows, into).unfinished_buckets
            edges.append(into / "edges.parquet")
    return curate(examined, edges, unfinished, curation, folder / "curate")


def table(folder: Path, name: str = "rows") -> pa.Table:
    """The rows that `curated` wrote, of all shards."""
    return pa.concat_tables([parquet.read(path) for path in sorted((folder / "curate" / name).glob("*.parquet"))])
