"""Opens files of text, compressed or not."""

import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from tuner.errors import InputError

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2", ".xz": "xz"}
"""Suffixes of compressed files, and the name of each codec."""

_BUFFER = 2**20


def suffixes(path: Path) -> tuple[str, str | None]:
    """The suffix of a file without that of its compression, in lower case; and the codec, None if it is plain."""
    codec = COMPRESSED.get(path.suffix.lower())
    return (path.with_suffix("").suffix if codec else path.suffix).lower(), codec


def stem(path: Path) -> str:
    """The name of a file without its suffixes."""
    return path.with_suffix("").stem if suffixes(path)[1] else path.stem


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file for reading its uncompressed bytes, a piece at a time.

    Raises:
        InputError: If it cannot be read, or its compressed content is damaged.
    """
    try:
        if (codec := suffixes(path)[1]) == "xz":  # which Arrow does not know
            with lzma.open(path) as file:
                yield cast(BinaryIO, file)
        else:
            with pa.input_stream(str(path), compression=codec) as stream:
                yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, stream), _BUFFER))
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
