"""Trainings on pairs: they learn to prefer, from the reference or another adapter, and resume exactly."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import MakeJob
from tests.training.methods.made import SMALL
from tests.training.test_pairs import write_pairs
from tuner.artifacts import parquet
from tuner.errors import InputError, StageError
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import chat, loading
from tuner.training import pairs, worker
from tuner.training.job import METRICS, Job
from tuner.training.methods import METHODS
from tuner.training.objectives import OBJECTIVES
from tuner.training.reference import likelihoods, refer

PAIRED = [name for name, kind in OBJECTIVES.items() if kind.pairs]


def job_of(make_job: MakeJob, name: str, tmp_path: Path, method: str = "lora", **options: object) -> Job:
    """A job on six pairs, two to choose by, with their reference."""
    job = make_job(
        name, method, **{"epochs": 6, "batch_size": 2, "learning_rate": 5e-3, **SMALL.get(method, {}), **options}
    )
    files = {"train": write_pairs(tmp_path / "train.parquet"), "tuning": write_pairs(tmp_path / "tuning.parquet", 2)}
    reference = tmp_path / f"reference-{name}"
    refer(job.models, job.settings.quantization, job.start, files, job.settings.max_length, True, reference, "")
    for folder in (job.checkpoints, job.output):
        folder.mkdir(parents=True)
    return job.model_copy(
        update={
            "data": files["train"],
            "tuning": files["tuning"],
            "reference": reference / "train.parquet",
            "tuning_reference": reference / "tuning.parquet",
        }
    )


def curve(job: Job) -> list[dict[str, Any]]:
    return parquet.read(job.output / "curve.parquet").to_pylist()


def margins(job: Job, folder: Path | None = None) -> list[float]:
    """By how much likelier the chosen answer is than the rejected one, in nats, with the adapter of a folder."""
    student = chat.load(job.models, "student")
    encoded = pairs.encoded(job.data, student, job.settings.max_length)
    base = loading.load_model(job.models.student, torch.float32)
    if folder is None:
        both = likelihoods(base, encoded, 2)
    else:
        with loaded_adapter(base, folder) as model:
            both = likelihoods(model, encoded, 2)
    return [chosen - rejected for chosen, rejected in both]


@pytest.mark.parametrize("objective", PAIRED)
def test_it_learns_to_prefer(make_job: MakeJob, tmp_path: Path, objective: str) -> None:
    job = job_of(make_job, "whole", tmp_path, objective=objective)
    worker.train(job, io.StringIO())
    steps = curve(job)
    assert len(steps) == 18
    if OBJECTIVES[objective].reference:
        assert steps[0]["margin"] == pytest.approx(0, abs=1e-4)
    assert steps[-1]["accuracy"] == 1
    after, before = margins(job, job.output / "adapter"), margins(job)
    assert all(new > old for new, old in zip(after, before, strict=True))
    measured = [step["tuning_loss"] for step in steps if step["tuning_loss"] is not None]
    assert measured[-1] < measured[0]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "qlora"])
def test_every_method_learns_to_prefer(make_job: MakeJob, tmp_path: Path, method: str) -> None:
    rate = {"full": 1e-4, "prompt_tuning": 0.1, "p_tuning": 1e-3, "prefix_tuning": 1e-2}.get(method, 1e-2)
    job = job_of(make_job, "whole", tmp_path, method, objective="dpo", learning_rate=rate)
    worker.train(job, io.StringIO())
    assert sum(margins(job, job.output / "adapter")) > sum(margins(job))


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_resumed_equals_uninterrupted(make_job: MakeJob, tmp_path: Path, objective: str) -> None:
    whole, broken = (job_of(make_job, name, tmp_path, objective=objective, dropout=0.1) for name in ("whole", "broken"))
    worker.train(whole, io.StringIO())

    class Breaking(io.StringIO):
        def write(self, text: str) -> int:
            if json.loads(text).get("step") == 8:
                raise BrokenPipeError
            return super().write(text)

    with pytest.raises(BrokenPipeError):
        worker.train(broken, Breaking())
    worker.train(broken, io.StringIO())
    timeless = [[{k: v for k, v in step.items() if k != "seconds"} for step in curve(job)] for job in (whole, broken)]
    assert timeless[0] == timeless[1]
    assert json.loads((broken.output / METRICS).read_text())["resumed_from_step"]


def test_dpo_is_trls(make_job: MakeJob, tmp_path: Path) -> None:
    """The loss of the first batches equals that of TRL's trainer on the same pairs and weights."""
    from datasets import Dataset
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    job = job_of(make_job, "ours", tmp_path, objective="dpo", epochs=1, learning_rate=1e-2)
    worker.train(job, io.StringIO())
    model: Any = loading.load_model(job.models.student, torch.float32)
    student, rows = chat.load(job.models, "student"), parquet.read(job.data).to_pylist()
    with loaded_adapter(model, job.output / "adapter") as adapted:
        trainer = DPOTrainer(
            model=adapted,
            ref_model=loading.load_model(job.models.student, torch.float32),
            args=DPOConfig(
                output_dir=str(tmp_path / "trl"),
                use_cpu=True,
                bf16=False,
                report_to="none",
                per_device_train_batch_size=6,
                max_length=256,
                gradient_checkpointing=False,
            ),
            train_dataset=Dataset.from_list(
                [{name: row[name] for name in ("prompt", "chosen", "rejected")} for row in rows]
            ),
            processing_class=student.tokenizer,
        )
        encoded = pairs.encoded(job.data, student, 256)  # TRL's own ids have a line break behind each answer
        laid = pairs.apart(encoded, 2)
        answers = [*(pair.chosen for pair in encoded), *(pair.rejected for pair in encoded)]
        width = max(len(pair.prompt) for pair in encoded)
        completion = torch.zeros_like(laid["input_ids"])
        for row, answer in enumerate(answers):
            completion[row, width : width + len(answer)] = 1
        batch = {name: laid[name] for name in ("input_ids", "attention_mask")} | {"completion_mask": completion}
        policy_model: Any = trainer.model
        policy_model.eval()
        with torch.no_grad():
            theirs = trainer.compute_loss(policy_model, batch).item()
        policy = likelihoods(adapted, encoded, 2)
    assert job.reference is not None
    reference = parquet.read(job.reference).to_pylist()
    ours = [
        -torch.nn.functional.logsigmoid(torch.tensor(0.1 * (c - row["chosen"] - (r - row["rejected"])))).item()
        for (c, r), row in zip(policy, reference, strict=True)
    ]
    assert sum(ours) / len(ours) == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize(
    "method", ["lora", "dora", "ia3", "ln_tuning", "prompt_tuning", "prefix_tuning", "full", "oft"]
)
def test_it_goes_on_from_another_adapter(make_job: MakeJob, tmp_path: Path, method: str) -> None:
    rates = {"full": 1e-3, "prompt_tuning": 0.1}
    first = make_job("first", method, epochs=2, learning_rate=rates.get(method, 1e-2), **SMALL.get(method, {}))
    for folder in (first.checkpoints, first.output):
        folder.mkdir(parents=True)
    worker.train(first, io.StringIO())
    adapter = first.output / "adapter"
    second = job_of(make_job, "second", tmp_path, method, objective="dpo", epochs=1, learning_rate=1e-9)
    files = {side: getattr(second, name) for side, name in (("train", "data"), ("tuning", "tuning"))}
    refer(second.models, None, adapter, files, 256, False, tmp_path / "from", "")
    second = second.model_copy(update={"start": adapter, "reference": tmp_path / "from" / "train.parquet"})
    worker.train(second, io.StringIO())
    # Hardly trained further, it is the adapter that it began as, and its own reference.
    assert curve(second)[0]["margin"] == pytest.approx(0, abs=1e-2)
    assert margins(second, second.output / "adapter") == pytest.approx(margins(second, adapter), abs=1e-2)
    assert margins(second, adapter) != pytest.approx(margins(second), abs=1e-2)


def test_an_adapter_of_other_settings_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    first = make_job("first", r=4, epochs=1)
    for folder in (first.checkpoints, first.output):
        folder.mkdir(parents=True)
    worker.train(first, io.StringIO())
    second = job_of(make_job, "second", tmp_path, objective="dpo", r=2, start="first")
    with pytest.raises(InputError, match="start: first"):
        worker.train(second.model_copy(update={"start": first.output / "adapter"}), io.StringIO())


def test_the_reference_of_other_pairs_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    job = job_of(make_job, "mixed", tmp_path, objective="dpo")
    with pytest.raises(StageError, match="those of other pairs"):
        worker.train(job.model_copy(update={"reference": job.tuning_reference}), io.StringIO())


def test_pairs_that_are_cut_off_are_named(make_job: MakeJob, tmp_path: Path) -> None:
    job = job_of(make_job, "cut", tmp_path, objective="dpo")
    short = job.model_copy(update={"settings": job.settings.model_copy(update={"max_length": 30})})
    with pytest.raises(InputError, match=r"training\.cut: max_length 30 cuts off an answer of every pair"):
        worker.train(short, io.StringIO())
    with pytest.raises(StageError, match=r"reference x: max_length 30 cuts off an answer of every pair"):
        refer(job.models, None, None, {"train": job.data}, 30, False, tmp_path / "none", "x")
