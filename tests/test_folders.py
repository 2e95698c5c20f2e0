"""A result's folder is written atomically."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tuner.errors import InputError
from tuner.folders import atomic_folder, is_vacant


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("home", "store"))


def test_the_folder_appears_when_it_is_complete(tmp_path):
    with atomic_folder(tmp_path / "a" / "out") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / "file").read_text() == "x"
    assert names(tmp_path / "a") == ["out"]


def test_the_folder_replaces_the_former_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        assert (tmp_path / "out" / "old").exists()
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_former_folder(failure, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(failure), atomic_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        raise failure
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_the_partial_folder_of_a_killed_attempt_is_removed(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "half").touch()
    with atomic_folder(tmp_path / "out") as folder:
        assert not any(folder.iterdir())
    assert names(tmp_path) == ["out"]


def test_a_second_writer_is_refused(tmp_path):
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "mine").touch()
        with ThreadPoolExecutor(1) as other, pytest.raises(InputError, match="another command is writing it"):
            other.submit(atomic_folder(tmp_path / "out").__enter__).result()
    assert names(tmp_path / "out") == ["mine"]


def test_a_full_disk_is_one_line(tmp_path):
    with pytest.raises(InputError, match="the disk is full"), atomic_folder(tmp_path / "out"):
        raise OSError(28, "No space left on device")
    assert names(tmp_path) == []


def test_vacant_is_missing_or_empty(tmp_path):
    assert is_vacant(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert is_vacant(tmp_path / "empty")
    (tmp_path / "empty" / "file").touch()
    assert not is_vacant(tmp_path / "empty")
    with pytest.raises(InputError, match="give the path of a folder"):
        is_vacant(tmp_path / "empty" / "file")
