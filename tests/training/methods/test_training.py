"""Every method trains, resumes where it was, is saved, and is loaded again as it was trained."""

import io
import json
from typing import Any

import pytest

from tests.training.conftest import MakeJob
from tests.training.methods.made import SMALL
from tuner.artifacts import parquet
from tuner.evaluation.subjects import loaded_adapter, merged_adapter
from tuner.models import chat, loading, scoring
from tuner.training import encoding, worker
from tuner.training.job import METRICS, Job
from tuner.training.methods import METHODS
from tuner.training.metrics import Trained

RATE = {"full": 1e-3, "ln_tuning": 5e-2, "ia3": 5e-2, "vera": 0.1, "prompt_tuning": 0.3, "prefix_tuning": 0.05}


def job_of(make_job: MakeJob, name: str, method: str, **options: object) -> Job:
    plain: dict[str, object] = {"epochs": 4, "learning_rate": RATE.get(method, 1e-2), **SMALL.get(method, {})}
    job = make_job(name, method, **{**plain, **options})
    for folder in (job.checkpoints, job.output):
        folder.mkdir(parents=True)
    return job


def curve(job: Job) -> list[float]:
    return parquet.read(job.output / "curve.parquet")["loss"].to_pylist()


def losses(job: Job, model: Any) -> list[float]:
    student = chat.load(job.models, "student")
    rows = [
        answer
        for row in encoding.rows_of(job.data).to_list()
        for answer in student.answers(row["prompt"] + row["completion"], job.settings.max_length)
    ]
    return scoring.losses(model, rows, student.tokenizer.pad_token_id)


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_and_is_loaded_as_it_was_trained(
    make_job: MakeJob, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    job = job_of(make_job, "whole", method)
    trained: list[float] = []
    write = worker._write_results  # pyright: ignore[reportPrivateUsage]

    def measured(job: Job, trainer: Any, resumed_from: int | None) -> None:
        trained.extend(losses(job, trainer.model))
        write(job, trainer, resumed_from)

    monkeypatch.setattr(worker, "_write_results", measured)
    worker.train(job, io.StringIO())
    metrics = Trained.model_validate_json((job.output / METRICS).read_text())
    assert 0 < metrics.trainable_parameters <= metrics.total_parameters
    base = loading.load_model(job.models.student, torch.float32, job.settings.quantization)
    before = losses(job, base)
    assert sum(trained) < sum(before)
    folder = job.output / "adapter"
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    with loaded_adapter(base, folder) as model:
        assert losses(job, model) == pytest.approx(trained, rel=1e-4 if job.settings.quantization is None else 1e-3)
    # bitsandbytes repacks weights in 4 bit at their first use.
    assert losses(job, base) == pytest.approx(before, rel=1e-9 if job.settings.quantization is None else 2e-3)
    if job.settings.merges and job.settings.quantization is None:
        with merged_adapter(base, folder) as model:
            assert losses(job, model) == pytest.approx(trained, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_resumed_from_a_checkpoint_equals_uninterrupted(make_job: MakeJob, method: str) -> None:
    whole, broken = (job_of(make_job, name, method) for name in ("whole", "broken"))
    worker.train(whole, io.StringIO())

    class Full(io.StringIO):
        """A stream that breaks at the seventh step of twelve."""

        def write(self, text: str) -> int:
            if json.loads(text).get("step") == 7:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        worker.train(broken, Full())
    worker.train(broken, io.StringIO())
    assert json.loads((broken.output / METRICS).read_text())["resumed_from_step"] == 6
    assert curve(broken) == curve(whole)
    for file in (whole.output / "adapter").glob("*.safetensors"):
        assert (broken.output / "adapter" / file.name).read_bytes() == file.read_bytes()
