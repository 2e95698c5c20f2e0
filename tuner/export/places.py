"""Where an export goes: a folder, an S3 prefix, or a dataset on the Hugging Face hub. Nothing there is overwritten."""

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.artifacts.files import Files
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.export.dataset import RECORD, begun, fill, occupied
from tuner.export.hub import Hub
from tuner.folders import is_vacant, whole
from tuner.settings import settings


def export(store: Store, run: dict[str, Any], to: str) -> dict[str, Any]:
    """Exports the data of a run.

    Args:
        store: Where the run lies.
        run: Its record.
        to: A folder, `s3://bucket/prefix` or `hf://datasets/owner/name`, with nothing in it.

    Returns:
        What `tuner.export.dataset.fill` returns, and `to`, where it lies.

    Raises:
        InputError: If the run has no split, or the place cannot be used or is not empty.
        DamagedArtifactError: If a file of the run is damaged.
    """
    if to.startswith("s3://"):
        bucket = Bucket(to)
        bucket.claim(run["name"])
        with _scratch() as folder:
            about = fill(store, run, folder)
            bucket.put(folder)
        return {**about, "to": bucket.url}
    if to.startswith("hf://"):
        hub = Hub(to)
        hub.claim()
        with _scratch() as folder:
            about = fill(store, run, folder)
            hub.put(folder, run["name"])
        return {**about, "to": hub.url}
    if "://" in to:
        raise InputError(f"--to {to}: is no place; give a folder, s3://bucket/prefix or hf://datasets/owner/name")
    place = Path(to).expanduser().absolute()
    if not is_vacant(place):
        raise occupied(to)
    with whole(place) as folder:
        return {**fill(store, run, folder), "to": str(place)}


class Bucket(Files):
    """A prefix of an S3 bucket.

    Args:
        url: `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        if not re.fullmatch(r"s3://[^/]+(/.*)?", url):
            raise InputError(f"--to {url}: write it as s3://bucket/prefix")
        super().__init__(url)

    def claim(self, run: str) -> None:
        """Marks the prefix as the place of this run's export, so that an attempt that is cut off can be made again.

        Raises:
            InputError: If it holds anything but such an attempt, or cannot be used.
        """
        if not self.listing():
            self.replace(RECORD, begun(run))
        elif self.read(RECORD) != begun(run):
            raise occupied(self.url)

    def put(self, folder: Path) -> None:
        """Uploads a folder, the record last, and removes what an attempt that was cut off had besides."""
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != RECORD]
        kept = set()
        for path in [*paths, folder / RECORD]:
            name = path.relative_to(folder).as_posix()
            self.upload(path, name)
            kept.add(name)
        self.remove(name for name in self.listing() if name not in kept)


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = settings().folder("scratch") / f"export-{uuid.uuid4().hex[:12]}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
