"""The loss on the rows to choose by: measured as the evaluation does, and a training that no longer gains ends."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pytest

from tests.tiny import write_rows
from tests.training.conftest import MakeJob
from tuner.artifacts import parquet
from tuner.errors import InputError
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import chat, loading, scoring
from tuner.training import encoding, worker
from tuner.training.exits import DivergedError
from tuner.training.job import METRICS, Job
from tuner.training.metrics import Trained


def job_of(make_job: MakeJob, name: str, tuning: Path, **options: object) -> Job:
    job = make_job(name, **options).model_copy(update={"tuning": tuning})
    for folder in (job.checkpoints, job.output):
        folder.mkdir(parents=True, exist_ok=True)
    return job


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "tuning.parquet", 5)


def trained(job: Job, messages: io.StringIO | None = None) -> Trained:
    worker.train(job, messages or io.StringIO())
    return Trained.model_validate_json((job.output / METRICS).read_text())


def loss(job: Job, rows: Path) -> float:
    """The loss of the saved adapter on rows, in nats per token."""
    import torch

    student = chat.load(job.models, "student")
    encoded = encoding.answers(encoding.rows_of(rows), student, job.settings.max_length)
    base = loading.load_model(job.models.student, torch.float32)
    with loaded_adapter(base, job.output / "adapter") as model:
        sums = scoring.losses(model, encoded, student.tokenizer.pad_token_id)
    return sum(sums) / sum(row.tokens for row in encoded)


def measured(job: Job) -> list[tuple[int, float]]:
    curve = parquet.read(job.output / "curve.parquet").to_pylist()
    return [(row["step"], row["tuning_loss"]) for row in curve if row["tuning_loss"] is not None]


def test_it_is_measured_ten_times_and_at_the_end_is_that_of_the_adapter(make_job: MakeJob, rows: Path) -> None:
    job = job_of(make_job, "measured", rows, epochs=10, learning_rate=1e-2)  # 30 steps
    metrics = trained(job)
    assert [step for step, _ in measured(job)] == list(range(3, 31, 3))
    assert measured(job)[-1][1] == pytest.approx(loss(job, rows), rel=1e-4)
    assert (metrics.tuning_step, metrics.tuning_loss) == min(measured(job), key=lambda each: each[1])


def test_measuring_changes_nothing(make_job: MakeJob, rows: Path) -> None:
    options: dict[str, object] = {"epochs": 5, "dropout": 0.2}
    with_rows, without = job_of(make_job, "with", rows, **options), make_job("without", **options)
    without.checkpoints.mkdir(parents=True)
    without.output.mkdir(parents=True)
    trained(with_rows)
    metrics = trained(without)
    assert metrics.tuning_loss is None
    files = [job.output / "adapter" / "adapter_model.safetensors" for job in (with_rows, without)]
    assert files[0].read_bytes() == files[1].read_bytes()


def overfitted(make_job: MakeJob, name: str, rows: Path) -> Job:
    """A training that gets worse on the rows to choose by, which are others than those that it learns."""
    others = parquet.read(rows).to_pylist()
    for row in others:
        row["completion"] = [{"role": "assistant", "content": "Zq xv, kj wz! Qx jv zk; vq xj."}]
    parquet.write(pa.Table.from_pylist(others), rows)
    return job_of(make_job, name, rows, rows=4, epochs=50, learning_rate=2e-2, early_stopping=2)


def test_a_training_that_no_longer_gains_ends_with_the_best_weights(
    make_job: MakeJob, tmp_path: Path, rows: Path
) -> None:
    job = overfitted(make_job, "stopped", rows)
    metrics = trained(job)
    history = measured(job)
    assert metrics.steps < 50
    assert metrics.tuning_step == history[-3][0] < metrics.steps == history[-1][0]
    assert loss(job, rows) == pytest.approx(history[-3][1], rel=1e-4)


def test_one_that_stopped_and_was_killed_before_it_was_saved_stays_stopped(
    make_job: MakeJob, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = overfitted(make_job, "whole", rows), overfitted(make_job, "broken", rows)
    trained(whole)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(worker, "_write_results", interrupt)
        worker.train(broken, io.StringIO())
    resumed = trained(broken)
    assert resumed.resumed_from_step == resumed.steps
    assert measured(broken) == measured(whole)
    assert loss(broken, rows) == loss(whole, rows)


@pytest.mark.parametrize("step", [2, 7, 11, 14])
def test_killed_at_any_step_it_ends_alike(make_job: MakeJob, rows: Path, step: int) -> None:
    whole, broken = overfitted(make_job, "whole", rows), overfitted(make_job, "broken", rows)
    trained(whole)

    class Breaking(io.StringIO):
        def write(self, text: str) -> int:
            if json.loads(text).get("step") == step:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        worker.train(broken, Breaking())
    trained(broken)
    assert measured(broken) == measured(whole)
    assert loss(broken, rows) == loss(whole, rows)


def test_rows_that_are_cut_off_are_named(make_job: MakeJob, tmp_path: Path) -> None:
    long = write_rows(tmp_path / "long.parquet", 1)
    short = write_rows(tmp_path / "short.parquet", 12)
    job = job_of(make_job, "cut", long, epochs=1, max_length=256).model_copy(update={"data": short})
    job = job.model_copy(update={"settings": job.settings.model_copy(update={"max_length": 60})})
    with pytest.raises(InputError, match=r"training\.cut: max_length 60 cuts off every response"):
        worker.train(job, io.StringIO())


def test_weights_that_are_no_longer_finite_end_the_training_as_diverged(make_job: MakeJob, rows: Path) -> None:
    # The loss of the only step is finite, and its update overflows.
    job = job_of(make_job, "overflows", rows, epochs=1, batch_size=12, alpha=3e38, max_grad_norm=0)
    with pytest.raises(DivergedError, match=r"the loss on the rows to choose by became nan at step 1 .*: give the"):
        worker.train(job, io.StringIO())
