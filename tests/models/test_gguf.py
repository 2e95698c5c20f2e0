"""A GGUF of this machine is a model, converted once."""

from pathlib import Path

import pytest

from tuner.errors import InputError
from tuner.models import gguf, loading, source


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path


def test_its_content_identifies_it(file: Path) -> None:
    found = source.parse(str(file))
    assert (found.kind, found.title) == ("gguf", "small.gguf")
    before = found.identity()
    file.write_bytes(b"GGUF" + bytes(101))
    assert found.identity() != before


def test_it_is_converted_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[Path] = []

    def convert(path: Path, into: Path) -> None:
        converted.append(path)
        into.mkdir()
        (into / "config.json").write_text("{}")
        (into / gguf.DIGESTS).write_text("{}")

    monkeypatch.setattr(gguf, "convert", convert)
    folder, revision = loading.resolve(str(file))
    assert (Path(folder) / "config.json").exists()
    assert loading.resolve(str(file)) == (folder, revision)
    assert converted == [file]


def test_a_file_that_is_none_is_refused_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"small\.gguf: cannot be read as a GGUF"):
        loading.resolve(str(file))
    assert list((tmp_path / "home" / "models").iterdir()) == []


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a model folder \(it has no config.json\), and no .gguf file$"):
        source.parse(str(tmp_path / "none.gguf"))
