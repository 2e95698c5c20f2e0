"""A GGUF file as a model: converted once on this machine to safetensors that transformers loads and trains."""

import json
import shutil
import struct
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

from tuner import hashing
from tuner.errors import InputError
from tuner.settings import settings

DIGESTS = "digests.json"


def is_converted(home: Path) -> bool:
    """Whether the folder of a converted model is complete."""
    return (home / DIGESTS).exists()


def checked(home: Path, weights: bool = True) -> Path:
    """The folder of a converted model, after its files were compared with their digests.

    Args:
        home: The folder.
        weights: Whether the weights are compared too, which takes a second a gigabyte.

    Raises:
        InputError: If a file is damaged or missing.
    """
    for name, digest in json.loads((home / DIGESTS).read_text()).items():
        path = home / name
        if not weights and path.suffix == ".safetensors":
            continue
        if not path.exists() or _digest(path, path.stat().st_size, path.stat().st_mtime_ns) != digest:
            raise InputError(f"{path}: the model file is damaged; remove {home} and run `tuner models fetch` again")
    return home


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    """sha256 of a file, computed once in a process as long as its size and time of modification stay."""
    return hashing.of_file(path)


def folder(file: Path, weights: bool = True) -> Path:
    """A GGUF of this machine as a folder that `from_pretrained` loads, converted if that is not done yet.

    Args:
        file: The GGUF.
        weights: Whether its weights are wanted, see `checked`.

    Raises:
        InputError: If transformers cannot read the file as a GGUF, or the converted model is damaged.
    """
    home = settings().folder("models") / f"{file.stem}-{hashing.of_file(file)[:16]}"
    with FileLock(settings().folder("locks") / f"{home.name}.model"):
        if not is_converted(home):
            with tempfile.TemporaryDirectory(dir=home.parent, prefix=".convert-") as scratch:
                converted = Path(scratch) / "converted"
                convert(file, converted)
                shutil.rmtree(home, ignore_errors=True)
                converted.rename(home)
    return checked(home, weights)


def convert(file: Path, into: Path) -> None:
    """Writes a GGUF as a folder of float32 safetensors, tokenizer and chat template, with their digests.

    Raises:
        InputError: If transformers cannot read the file as a GGUF.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        # Without dequantize the model counts as quantized and will neither train nor save.
        model = AutoModelForCausalLM.from_pretrained(
            file.parent, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    except (ValueError, OSError, KeyError, IndexError, RuntimeError, struct.error) as error:
        raise InputError(f"{file}: cannot be read as a GGUF ({error})") from None
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    digests = {path.name: hashing.of_file(path) for path in sorted(into.iterdir())}
    (into / DIGESTS).write_text(json.dumps(digests, indent=2))
