# PyArrow ships without types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportUnknownArgumentType=false
"""Reading and writing the Parquet files of artifacts, whose bytes depend on the rows alone."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet


def write(table: pa.Table, path: Path) -> None:
    """Writes a table so that equal tables give equal bytes (with one version of Arrow).

    A table without rows gets no row group: some readers fail on an empty one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Texts and hashes rarely repeat: dictionary encoding would cost time and save no more than zstd does.
    plain = table.replace_schema_metadata(None)
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "store_schema": False}
    with parquet.ParquetWriter(path, plain.schema, **options) as writer:
        if plain.num_rows:
            writer.write_table(plain)


def rows_of(path: Path) -> int:
    """The number of rows, read from the footer."""
    return parquet.read_metadata(path).num_rows


def read_schema(path: Path) -> pa.Schema:
    """The columns, read from the footer."""
    return parquet.read_schema(path)


def read(path: Path) -> pa.Table:
    """Reads a whole table."""
    return parquet.read_table(path)
