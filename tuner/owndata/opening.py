"""Opens a file as a source of rows."""

from pathlib import Path

from tuner.errors import InputError
from tuner.owndata.json_source import JsonSource
from tuner.owndata.parquet_source import ParquetSource

Source = JsonSource | ParquetSource
FORMATS = (".parquet", ".jsonl", ".ndjson", ".json")


def open_source(path: Path) -> Source:
    """The source for a file, by its suffix. A `.json` is one array, or one object a line as in a `.jsonl`.

    Raises:
        InputError: If there is no such file, it cannot be read, or its suffix is not in `FORMATS`.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give one of {', '.join(FORMATS)}")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path}: unknown suffix; give one of {', '.join(FORMATS)}")
    try:
        with path.open("rb") as file:
            beginning = file.read(4096)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if suffix == ".parquet":
        return ParquetSource(path)
    first = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return JsonSource(path, is_array=suffix == ".json" and first == b"[")
