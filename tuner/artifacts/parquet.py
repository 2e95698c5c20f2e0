"""Parquet as artifacts hold it: bytes that depend on the rows alone."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet


def write(table: pa.Table, path: Path) -> None:
    """Writes a table so that equal tables give equal bytes (with one version of Arrow)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.replace_schema_metadata(None), path, compression="zstd", store_schema=False)


def read(path: Path) -> pa.Table:
    """Reads a table whole."""
    return parquet.read_table(path)
