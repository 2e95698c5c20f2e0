"""Targets of an export: a folder, an S3 prefix, or a dataset on the Hugging Face hub. Nothing is overwritten."""

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
from tuner.export.dataset import RECORD, begun_record, fill, not_empty_error
from tuner.export.hub import Hub
from tuner.folders import atomic_folder, is_vacant
from tuner.settings import settings


def export(store: Store, run: dict[str, Any], to: str) -> dict[str, Any]:
    """Exports the data of a run.

    Args:
        store: The store of the run.
        run: The run's record.
        to: A folder, `s3://bucket/prefix` or `hf://datasets/owner/name`, with nothing in it.

    Returns:
        What `tuner.export.dataset.fill` returns, and `to`, the target.

    Raises:
        InputError: If the run has no split, or the target cannot be used or is not empty.
        DamagedArtifactError: If a file of the run is damaged.
    """
    if to.startswith("s3://"):
        bucket = Bucket(to)
        bucket.claim(run["name"])
        with _scratch() as folder:
            record = fill(store, run, folder)
            bucket.put(folder)
        return {**record, "to": bucket.url}
    if to.startswith("hf://"):
        hub = Hub(to)
        hub.claim()
        with _scratch() as folder:
            record = fill(store, run, folder)
            hub.put(folder, run["name"])
        return {**record, "to": hub.url}
    if "://" in to:
        raise InputError(
            f"--to {to}: unknown kind of target; give a folder, s3://bucket/prefix or hf://datasets/owner/name"
        )
    target = Path(to).expanduser().absolute()
    if not is_vacant(target):
        raise not_empty_error(to)
    with atomic_folder(target) as folder:
        return {**fill(store, run, folder), "to": str(target)}


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
        """Marks the prefix as the target of this run's export, so that an interrupted attempt can be repeated.

        Raises:
            InputError: If it holds anything but such an attempt, or cannot be used.
        """
        if not self.listing():
            self.replace(RECORD, begun_record(run))
        elif self.read(RECORD) != begun_record(run):
            raise not_empty_error(self.url)

    def put(self, folder: Path) -> None:
        """Uploads a folder, the record last, and removes other files of an interrupted attempt."""
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
