"""Writes the sides of a split, with at most two row groups of each in memory."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.splitting.placement import Placement
from tuner.splitting.sides import SIDES, file_of

COLUMNS = ("row_id", "prompt", "completion", "messages", "tools", "thoughts")
"""Columns of the rows of a side; the last two are there if the kept rows have them."""
# Rows in a row group: about 30 MB at 1 kB a row, since every text is stored twice.
_GROUP = 10_000


def write(kept: Sequence[Path], placement: Placement, sides: Sequence[int], folder: Path) -> list[Path]:
    """Writes a file for each side; its bytes depend on the rows, not on how these are sharded.

    Args:
        kept: The same files as for `placement`, in the same order.
        placement: The sides of their rows.
        sides: The sides to write.
        folder: Where to write.

    Returns:
        The files, in the order of `sides`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = pq.read_schema(kept[0])
    schema = pa.schema([pa.field(name, schema.field(name).type) for name in COLUMNS if name in schema.names])
    paths = [folder / file_of(SIDES[side]) for side in sides]
    buffered = [schema.empty_table() for _ in sides]
    # The same settings as `tuner.artifacts.parquet.write`.
    writers = [pq.ParquetWriter(path, schema, compression="zstd", store_schema=False) for path in paths]
    done = 0
    for path in kept:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_GROUP, columns=schema.names):
            table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
            placed = placement.sides[done : done + table.num_rows]
            done += table.num_rows
            for at, (side, writer) in enumerate(zip(sides, writers, strict=True)):
                buffered[at] = pa.concat_tables([buffered[at], table.filter(pa.array(placed == side))])
                while buffered[at].num_rows >= _GROUP:
                    writer.write_table(buffered[at][:_GROUP].combine_chunks())
                    buffered[at] = buffered[at][_GROUP:]
    for table, writer in zip(buffered, writers, strict=True):
        if table.num_rows:
            writer.write_table(table.combine_chunks())
        writer.close()
    return paths
