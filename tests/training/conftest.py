"""A tiny student, training rows and jobs on them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.tiny import make_tiny_model, write_rows
from tuner.models import loading
from tuner.recipe import Adapter
from tuner.settings import settings
from tuner.training.job import Job

MakeJob = Callable[..., Job]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A home of its own, and float32 on the CPU, so that figures can be compared closely."""
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUNER_DEVICE", "cpu")
    monkeypatch.setenv("TUNER_DTYPE", "float32")
    settings.cache_clear()
    loading.dtype.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()
    loading.dtype.cache_clear()


@pytest.fixture
def make_job(tiny: Path, tmp_path: Path) -> MakeJob:
    def make(name: str, method: str = "lora", rows: int = 12, **options: object) -> Job:
        plain = {"method": method, "batch_size": 4, "max_length": 256, **options}
        return Job(
            adapter=name,
            settings=TypeAdapter(Adapter).validate_python(plain),
            student=str(tiny),
            generator=str(tiny),
            seed=2**40 + 7,
            data=write_rows(tmp_path / f"train-{rows}.parquet", rows),
            output=tmp_path / name / "output",
            checkpoints=tmp_path / name / "checkpoints",
        )

    return make
