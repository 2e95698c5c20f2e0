"""Processes that train one adapter together come to what one of them comes to alone."""

import os
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.deployments.processes import PATIENCE
from tests.tiny import write_rows
from tests.training.conftest import MakeJob
from tests.training.test_pairs import write_pairs
from tests.trainings import trainings
from tuner.artifacts import parquet
from tuner.models.settings import Models
from tuner.progress import Event, listening
from tuner.training import process
from tuner.training.job import Job
from tuner.training.metrics import Trained
from tuner.training.reference import refer


def both(make_job: MakeJob, files: dict[str, Path] | None = None, **options: object) -> list[tuple[Job, Trained]]:
    """The same training by one process and by two."""
    jobs = [
        make_job(f"by-{count}", **options).model_copy(update={"processes": count, **(files or {})}) for count in (1, 2)
    ]
    return [(job, process.train(job, PATIENCE)) for job in jobs]


def assert_same(first: Job, second: Job) -> None:
    curves = [parquet.read(job.output / "curve.parquet") for job in (first, second)]
    for name in ("step", "epoch", "loss", "tuning_loss", "margin", "accuracy", "learning_rate"):
        values, others = (curve[name].to_pylist() for curve in curves)
        assert values == [None if other is None else pytest.approx(other, rel=1e-4) for other in others]
    weights, others = (load_file(job.output / "adapter" / "adapter_model.safetensors") for job in (first, second))
    for name, weight in weights.items():
        assert weight == pytest.approx(others[name], abs=2e-5)


def kill_the_second_at(job: Job, step: int) -> process.TrainingError:
    """Kills a process of a training when it has come to a step; returns what the training ends with."""
    seen: list[int] = []

    def kill_the_second(event: Event) -> None:
        if event.done >= step and not seen:
            second = max(trainings(job.checkpoints), key=lambda each: each.create_time())
            seen.append(second.pid)
            os.kill(second.pid, signal.SIGKILL)

    with listening(kill_the_second), pytest.raises(process.TrainingError) as caught:
        process.train(job, PATIENCE)
    return caught.value


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_the_loss_and_the_weights_are_those_of_one_process(method: str, make_job: MakeJob, tmp_path: Path) -> None:
    tuning = {"tuning": write_rows(tmp_path / "tuning.parquet", 5)}
    (alone, metrics), (together, others) = both(make_job, tuning, method=method, epochs=2, learning_rate=1e-3)
    assert_same(alone, together)
    assert (metrics.tokens, metrics.steps, metrics.tuning_step) == (others.tokens, others.steps, others.tuning_step)
    assert metrics.tuning_loss == pytest.approx(others.tuning_loss, rel=1e-4)
    assert len(list(together.checkpoints.glob("checkpoint-*"))) == 2


@pytest.mark.parametrize("objective", ["orpo", "kto"])
def test_preferences(objective: str, make_job: MakeJob, tmp_path: Path, tiny: Path) -> None:
    files = {"data": write_pairs(tmp_path / "pairs.parquet", 8), "tuning": write_pairs(tmp_path / "tuning.parquet", 5)}
    if objective == "kto":
        models = Models(generator=str(tiny), student=str(tiny))
        sides = {"train": files["data"], "tuning": files["tuning"]}
        refer(models, None, None, sides, 256, True, tmp_path / "reference", "test")
        files |= {"reference": tmp_path / "reference" / "train.parquet"}
        files |= {"tuning_reference": tmp_path / "reference" / "tuning.parquet"}
    (alone, _), (together, _) = both(make_job, files, objective=objective, epochs=2, learning_rate=1e-3)
    assert_same(alone, together)


def test_noise_differs_between_processes_and_is_the_same_after_a_kill(make_job: MakeJob) -> None:
    (_, whole) = both(make_job, epochs=4, dropout=0.3)
    job = make_job("killed", epochs=4, dropout=0.3).model_copy(update={"processes": 2})
    kill_the_second_at(job, 5)
    process.train(job, PATIENCE)
    assert_same(whole[0], job)


def test_when_one_of_them_is_killed_all_end_and_the_next_attempt_resumes(make_job: MakeJob) -> None:
    (whole, _) = both(make_job, epochs=4)[1]
    job = make_job("killed", epochs=4).model_copy(update={"processes": 2})
    assert kill_the_second_at(job, 5).retryable
    assert not trainings(job.checkpoints)
    assert process.train(job, PATIENCE).resumed_from_step
    assert_same(whole, job)
