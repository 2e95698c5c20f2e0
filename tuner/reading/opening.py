"""Opens what a user names (files, folders, data sets of the hub) as sources of rows."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuner.errors import InputError
from tuner.reading.json_source import JsonSource
from tuner.reading.table_source import TableSource, of_csv, of_dataset, of_parquet
from tuner.streams import COMPRESSED, suffixes

Source = JsonSource | TableSource
HUB = "hf://"
FORMATS = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv")
KNOWN = (
    f"{', '.join(FORMATS)} (all but .parquet also with {', '.join(COMPRESSED)}), a folder of them, or {HUB}owner/name"
)
"""What can be given, as errors and `--help` name it."""

_HUB = re.compile(
    r"(?:datasets/)?(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<config>[^:/@]+))?(?::(?P<split>[^@]+))?(?:@(?P<revision>.+))?"
)
_SAVED = ("state.json", "dataset_dict.json")
"""Files by which a folder that `datasets` saved is known."""


def open_sources(places: Sequence[str | Path]) -> tuple[list[Source], list[str]]:
    """The sources of all places, in order, and the names of files in folders that are of no known format.

    Raises:
        InputError: If there is no such place, it cannot be read, or it holds nothing of a known format.
    """
    sources: list[Source] = []
    unread: list[str] = []
    for place in places:
        if str(place).startswith(HUB):
            sources.append(_of_hub(str(place)))
        elif (path := Path(place)).is_dir() and any((path / name).is_file() for name in _SAVED):
            sources.append(_saved(path))
        elif path.is_dir():
            all_files = list(files(path))
            known = [file for file in all_files if is_known(file)]
            if not known:
                raise InputError(f"{path}: holds no file of rows; give one of {KNOWN}")
            sources += map(open_source, known)
            unread += [file.relative_to(path).as_posix() for file in all_files if not is_known(file)]
        else:
            sources.append(open_source(path))
    return sources, unread


def open_source(path: Path) -> Source:
    """The source for a file, by its suffix. A file of JSON is one array, or one object a line, whatever its suffix.

    Raises:
        InputError: If there is no such file, it cannot be read, or its suffix is not in `FORMATS`.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; give one of {KNOWN}")
    if not path.is_file() or not is_known(path):
        raise InputError(f"{path}: not a file of rows; give one of {KNOWN}")
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    match suffixes(path)[0]:
        case ".parquet":
            return of_parquet(path)
        case ".csv":
            return of_csv(path, ",")
        case ".tsv":
            return of_csv(path, "\t")
        case _:
            return JsonSource(path)


def is_known(path: Path) -> bool:
    """Whether a file is of a format in `FORMATS`, by its suffix."""
    suffix, codec = suffixes(path)
    return suffix in FORMATS and not (codec and suffix == ".parquet")


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder in order, without hidden ones."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def commit_of(place: str) -> str:
    """The commit of a data set of the hub.

    Raises:
        InputError: If the hub does not say.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    parts = _parts(place)
    try:
        commit = HfApi().dataset_info(parts["name"], revision=parts["revision"]).sha
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InputError(f"{place}: cannot be read: {' '.join(str(error).split())[:500]}") from None
    if not commit:
        raise InputError(f"{place}: the hub names no commit of it")
    return commit


def _parts(place: str) -> re.Match[str]:
    parts = _HUB.fullmatch(place.removeprefix(HUB))
    if parts is None:
        raise InputError(f"{place}: a data set of the hub is {HUB}owner/name[/config][:split][@revision]")
    return parts


def _of_hub(place: str) -> TableSource:
    import datasets
    from datasets.exceptions import DatasetsError

    parts = _parts(place)
    datasets.disable_progress_bars()
    try:
        found = datasets.load_dataset(parts["name"], parts["config"], split=parts["split"], revision=parts["revision"])
    except (OSError, ValueError, DatasetsError) as error:
        raise InputError(f"{place}: cannot be read: {' '.join(str(error).split())[:500]}") from None
    return _source(place, found, f"{place}:")


def _saved(folder: Path) -> TableSource:
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: cannot be read: {' '.join(str(error).split())}") from None
    return _source(folder.name, found, f"{folder}/")


def _source(title: str, found: "object", way: str) -> TableSource:
    import datasets

    if isinstance(found, datasets.DatasetDict):
        if len(found) > 1:
            raise InputError(
                f"{title}: has the splits {', '.join(map(str, found))}; name one: {way}{next(iter(found))}"
            )
        found = next(iter(found.values()))
    assert isinstance(found, datasets.Dataset)
    return of_dataset(title, found)
