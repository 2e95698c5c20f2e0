"""Finds training processes: those whose standard error is the log of a training."""

from pathlib import Path

import psutil

from tuner.training.process import LOG


def trainings(folder: Path) -> list[psutil.Process]:
    """The training processes whose checkpoints are in a folder, at any depth."""
    return [process for process in psutil.process_iter() if log_of(process.pid).is_relative_to(folder.absolute())]


def log_of(pid: int) -> Path:
    """The log that a process writes; the root folder if it writes none."""
    try:
        log = Path(f"/proc/{pid}/fd/2").readlink()
    except OSError:  # it has ended, or is another user's
        return Path("/")
    return log if log.name == LOG else Path("/")
