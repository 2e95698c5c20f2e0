"""Only complete checkpoints are resumed from."""

from pathlib import Path

from tuner.training import checkpoints
from tuner.training.checkpoints import Progress


def written(folder: Path, step: int, files: tuple[str, ...] = checkpoints.FILES) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    for name in files:
        (checkpoint / name).touch()
    if checkpoints.MARKER in files:
        checkpoints.mark(checkpoint, Progress(step, 1.5 * step, 100 * step))
    return checkpoint


def test_the_newest_is_found_with_the_work_done(tmp_path: Path) -> None:
    written(tmp_path, 9)
    newest = written(tmp_path, 10)
    assert checkpoints.newest(tmp_path) == (newest, Progress(10, 15.0, 1000))
    assert checkpoints.read(newest) == (newest, Progress(10, 15.0, 1000))


def test_none_in_an_empty_folder(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None


def test_what_is_incomplete_or_of_another_version_is_removed(tmp_path: Path) -> None:
    complete = written(tmp_path, 3)
    unmarked = written(tmp_path, 6, tuple(name for name in checkpoints.FILES if name != checkpoints.MARKER))
    other = written(tmp_path, 9, (checkpoints.MARKER, checkpoints.TRAINED, "optimizer.pt"))
    found = checkpoints.newest(tmp_path)
    assert found and found[0] == complete
    assert not unmarked.exists() and not other.exists()
