"""The trainer's loss on a CPU is TRL's, for both methods, packed or not."""

import pytest

from tests.present import present
from tests.training.conftest import MakeJob
from tuner.models import loading
from tuner.models.chat import load
from tuner.training import worker


@pytest.mark.parametrize(
    ("method", "options"),
    [("lora", {"dropout": 0.0}), ("lora", {"dropout": 0.0, "packing": True}), ("prompt_tuning", {"init": "random"})],
)
def test_loss_equals_trls(make_job: MakeJob, method: str, options: dict[str, object]) -> None:
    # Imported here: they take seconds, in every process that collects this file.
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    from tuner.training.trainer import AdapterTrainer

    job = make_job("same", method, **options)
    student = load(job.models, "student")
    model = loading.load_model(job.models.student, torch.float32)
    trainer = AdapterTrainer(
        model=model,
        args=worker.arguments(job),
        train_dataset=worker.encode(worker.rows_of(job.data), student, job.settings.max_length),
        processing_class=student.tokenizer,
        peft_config=job.settings.peft_config(model, job.models.student),
    )
    batch = next(iter(trainer.get_train_dataloader()))
    count = (batch["labels"] != -100).sum()
    with torch.no_grad():
        ours = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=count)
        theirs = SFTTrainer.compute_loss(trainer, present(trainer.model), dict(batch), num_items_in_batch=count)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
