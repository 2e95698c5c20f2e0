"""Atomic writing of a folder that the user names for a result."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tuner import hashing
from tuner.errors import InputError
from tuner.settings import settings


def is_vacant(folder: Path) -> bool:
    """Whether a folder does not exist or is empty.

    Raises:
        InputError: If the path is a file, or the folder cannot be read.
    """
    try:
        return not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; give the path of a folder") from None


@contextmanager
def atomic_folder(to: Path) -> Iterator[Path]:
    """Yields an empty folder to fill, which replaces `to` when the block ends.

    If the block fails, `to` stays as it was. If the process is killed, a hidden `.NAME.partial` may be left beside it,
    which the next attempt removes.

    Args:
        to: The folder to make.

    Raises:
        InputError: If it cannot be made, the disk is full, or another process is writing it.
    """
    to = to.expanduser().absolute()
    name = hashing.of_text(str(to))[:32]
    try:
        with FileLock(settings().folder("locks") / name, timeout=0):
            yield from _replaced(to)
    except Timeout:
        raise InputError(f"{to}: another command is writing it; wait until it has finished") from None


def _replaced(to: Path) -> Iterator[Path]:
    partial, former = to.with_name(f".{to.name}.partial"), to.with_name(f".{to.name}.former")
    try:
        for leftover in (partial, former):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"{to}: cannot be made: {error.strerror}") from None
    try:
        yield partial
        if to.exists():
            to.rename(former)
        partial.rename(to)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(f"{to}: the disk is full; free space and run the same command again") from None
        raise
    finally:
        for leftover in (partial, former):
            shutil.rmtree(leftover, ignore_errors=True)
