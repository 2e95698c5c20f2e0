"""Generated rows for the tests of what comes after generation."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("instruction", pa.string()),
        ("response", pa.string()),
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
    """One generated row that passes and is unlike those of other indices."""
    return row(index, f"Explain how bread number {index} rises.", f"{RESPONSE} This was loaf number {index}.")


def shard(rows: list[dict[str, Any]], path: Path) -> Path:
    """Writes rows as generation leaves them."""
    parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path
