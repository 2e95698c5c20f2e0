"""A folder that a person names for a result: it is there whole or not at all."""

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
    """Whether nothing is there, or a folder that holds nothing.

    Raises:
        InputError: If a file is there, or what is there cannot be read.
    """
    try:
        return not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; name a folder") from None


@contextmanager
def whole(to: Path) -> Iterator[Path]:
    """Gives an empty folder to fill, which then takes the place of `to` and of what was there.

    If the block fails, nothing is left; if the process is killed, only a hidden `.NAME.partial` beside it, which the
    next attempt removes.

    Args:
        to: The folder to make.

    Raises:
        InputError: If it cannot be made, the disk is full, or another process is making it.
    """
    to = to.expanduser().absolute()
    name = hashing.of_text(str(to))[:32]
    try:
        with FileLock(settings().folder("locks") / name, timeout=0):
            yield from _filled(to)
    except Timeout:
        raise InputError(f"{to}: another command is writing it just now") from None


def _filled(to: Path) -> Iterator[Path]:
    partial, former = to.with_name(f".{to.name}.partial"), to.with_name(f".{to.name}.former")
    try:
        for left in (partial, former):
            if left.exists():
                shutil.rmtree(left)
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
        for left in (partial, former):
            shutil.rmtree(left, ignore_errors=True)
