"""The trainer's loss is TRL's for every method, and options that save time or memory do not change it."""

import io
import math
from typing import Any

import pytest

from tests.present import present
from tests.training.conftest import MakeJob
from tests.training.methods.made import SMALL
from tuner.artifacts import parquet
from tuner.models import loading
from tuner.models.chat import load
from tuner.training import arguments, encoding, fit, memory, worker
from tuner.training.job import Job
from tuner.training.methods import METHODS


def trainer_of(job: Job) -> Any:
    import torch

    from tuner.training.trainer import AdapterTrainer

    student = load(job.models, "student")
    model = loading.load_model(job.models.student, torch.float32, job.settings.quantization)
    torch.manual_seed(0)
    return AdapterTrainer(
        model=fit.adapted(model, job.adapter, job.settings, job.models.student, job.models.student),
        args=arguments.supervised(job),
        train_dataset=encoding.encode(encoding.rows_of(job.data), student, job.settings.max_length),
        processing_class=student.tokenizer,
    )


CASES: list[tuple[str, dict[str, object]]] = [*((name, {}) for name in METHODS), ("lora", {"packing": True})]


@pytest.mark.parametrize(("method", "options"), CASES)
def test_loss_equals_trls(make_job: MakeJob, method: str, options: dict[str, object]) -> None:
    # Imported here: they take seconds, in every process that collects this file.
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    trainer = trainer_of(make_job("same", method, **SMALL.get(method, {}), **options))
    batch = next(iter(trainer.get_train_dataloader()))
    count = (batch["labels"] != -100).sum()
    with torch.no_grad():
        ours = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=count)
        theirs = SFTTrainer.compute_loss(trainer, present(trainer.model), dict(batch), num_items_in_batch=count)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_packed_examples_do_not_attend_to_each_other(make_job: MakeJob) -> None:
    import torch

    def total(packing: bool) -> tuple[float, int]:
        trainer = trainer_of(make_job(f"packing-{packing}", packing=packing, max_length=512))
        batches = list(trainer.get_train_dataloader())
        assert (len(trainer.train_dataset) < 12) == packing
        with torch.no_grad():
            losses = [trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=1) for batch in batches]
        return sum(loss.item() for loss in losses), sum(int((batch["labels"] != -100).sum()) for batch in batches)

    (packed, tokens), (alone, same) = total(True), total(False)
    assert tokens == same
    assert packed == pytest.approx(alone, rel=1e-5)


def losses(job: Job) -> list[float]:
    for folder in (job.checkpoints, job.output):
        folder.mkdir(parents=True)
    worker.train(job, io.StringIO())
    return parquet.read(job.output / "curve.parquet")["loss"].to_pylist()


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].recomputes])
def test_recomputed_activations_give_the_same_losses(
    make_job: MakeJob, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**SMALL.get(method, {}), "epochs": 1}
    kept = losses(make_job("kept", method, **options))
    monkeypatch.setattr(memory, "free", lambda device: 1000)
    assert losses(make_job("recomputed", method, **options)) == pytest.approx(kept, rel=1e-5)


def test_activations_are_estimated_from_the_paper() -> None:
    from transformers import LlamaConfig

    config = LlamaConfig(hidden_size=10, num_attention_heads=1, num_hidden_layers=3, vocab_size=7)
    # 17 numbers a hidden unit and layer, in 2 bytes each; a logit in 2 and 4 bytes.
    assert memory.activations(config, 5, 2) == 5 * (17 * 2 * 10 * 3 + 7 * 6)


@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
@pytest.mark.parametrize("scheduler", ["linear", "cosine", "cosine_floor", "stable_decay", "constant"])
def test_optimizers_and_schedules(make_job: MakeJob, optimizer: str, scheduler: str) -> None:
    job = make_job("any", epochs=10, warmup=0.1, optimizer=optimizer, scheduler=scheduler, learning_rate=1e-2)
    curve = losses(job)
    assert curve[-1] < curve[0]
    rates = parquet.read(job.output / "curve.parquet")["learning_rate"].to_pylist()
    assert max(rates) == pytest.approx(1e-2)
    assert rates[:3] == pytest.approx([0, 1e-2 / 3, 2e-2 / 3])
    last = {"linear": 1e-2 / 27, "cosine": 5e-3 * (1 + math.cos(math.pi * 26 / 27)), "constant": 1e-2}
    if scheduler in last:
        assert rates[-1] == pytest.approx(last[scheduler])
    elif scheduler == "stable_decay":
        assert rates[3:24] == pytest.approx([1e-2] * 21)
        assert rates[-1] < 2e-3
    else:
        assert rates[-1] == pytest.approx(1e-3, rel=0.1)


def test_an_optimizer_that_needs_a_gpu_says_so(make_job: MakeJob) -> None:
    from tuner.errors import InputError

    with pytest.raises(InputError, match="adamw_8bit needs a GPU"):
        losses(make_job("eight", optimizer="adamw_8bit"))


def test_noise_on_embeddings_changes_the_training_alone(make_job: MakeJob) -> None:
    plain, noisy = (losses(make_job(f"noise-{alpha}", epochs=1, neftune=alpha)) for alpha in (0.0, 5.0))
    assert plain != pytest.approx(noisy, rel=1e-4)


def test_gradients_are_clipped(make_job: MakeJob) -> None:
    free, clipped = (
        losses(make_job(f"clip-{norm}", epochs=3, max_grad_norm=norm, optimizer="adafactor")) for norm in (0.0, 1e-6)
    )
    assert free[0] == clipped[0]
    assert free != clipped
