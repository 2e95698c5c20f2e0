"""A tiny student, training rows and jobs on them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.tiny import write_rows
from tuner.models.settings import Models
from tuner.training.job import Job
from tuner.training.methods import Adapter

MakeJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def exact(float32: None) -> None:
    """Computes in float32, so that results can be compared closely."""


@pytest.fixture
def make_job(tiny: Path, tmp_path: Path) -> MakeJob:
    def make(name: str, method: str = "lora", rows: int = 12, **options: object) -> Job:
        plain = {"method": method, "batch_size": 4, "max_length": 256, **options}
        return Job(
            adapter=name,
            settings=TypeAdapter(Adapter).validate_python(plain),
            models=Models(generator=str(tiny), student=str(tiny)),
            seed=2**40 + 7,
            data=write_rows(tmp_path / f"train-{rows}.parquet", rows),
            output=tmp_path / name / "output",
            checkpoints=tmp_path / name / "checkpoints",
        )

    return make
