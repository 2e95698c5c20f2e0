"""Parquet as artifacts hold it: bytes that depend on the rows alone."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet


def write(table: pa.Table, path: Path) -> None:
    """Writes a table so that equal tables give equal bytes (with one version of Arrow).

    A table without rows gets no row group: an empty one is more than some readers take.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Texts and hashes hardly ever repeat as a whole: dictionaries would cost time and save nothing that zstd does not.
    plain = table.replace_schema_metadata(None)
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "store_schema": False}
    with parquet.ParquetWriter(path, plain.schema, **options) as writer:
        if plain.num_rows:
            writer.write_table(plain)


def read(path: Path) -> pa.Table:
    """Reads a table whole."""
    return parquet.read_table(path)
