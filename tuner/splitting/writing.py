"""Writes both sides of a split, with at most two row groups of each in memory."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.splitting.placement import Placement
from tuner.splitting.sides import SIDES

COLUMNS = ("row_id", "prompt", "completion", "messages", "tools", "thoughts")
"""Columns of the rows of a side; the last two are there if the kept rows have them."""
# Rows in a row group: about 30 MB at 1 kB a row, since every text is stored twice.
_GROUP = 10_000


def write(kept: Sequence[Path], placement: Placement, folder: Path) -> None:
    """Writes `train.parquet` and `validation.parquet`; their bytes depend on the rows, not on how these are sharded.

    Args:
        kept: The same files as for `placement`, in the same order.
        placement: The sides of their rows.
        folder: Where to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema = pq.read_schema(kept[0])
    schema = pa.schema([pa.field(name, schema.field(name).type) for name in COLUMNS if name in schema.names])
    buffered = [schema.empty_table() for _ in SIDES]
    # The same settings as `tuner.artifacts.parquet.write`.
    writers = [
        pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd", store_schema=False) for name in SIDES
    ]
    done = 0
    for path in kept:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_GROUP, columns=schema.names):
            table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
            sides = placement.sides[done : done + table.num_rows]
            done += table.num_rows
            for side, writer in enumerate(writers):
                buffered[side] = pa.concat_tables([buffered[side], table.filter(pa.array(sides == side))])
                while buffered[side].num_rows >= _GROUP:
                    writer.write_table(buffered[side][:_GROUP].combine_chunks())
                    buffered[side] = buffered[side][_GROUP:]
    for table, writer in zip(buffered, writers, strict=True):
        if table.num_rows:
            writer.write_table(table.combine_chunks())
        writer.close()
