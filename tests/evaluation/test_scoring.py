"""The held-out loss: encoded as in training, equal to a naive reference, independent of batching."""

import random
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tiny import write_rows
from tuner.artifacts import parquet
from tuner.evaluation.subjects import loaded_adapter, merged_adapter
from tuner.models import loading, precision, scoring
from tuner.models.chat import Chat, Encoded
from tuner.models.settings import Models
from tuner.training.job import Job
from tuner.training.methods.lora import Lora

Rows = list[Encoded]


def test_ids_and_mask_are_those_of_the_trainer(tiny: Path, chat: Chat, model: Any, tmp_path: Path) -> None:
    from trl.trainer.sft_trainer import SFTTrainer

    from tuner.training import arguments, encoding

    data = write_rows(tmp_path / "train.parquet", 7)
    conversations = [row["prompt"] + row["completion"] for row in parquet.read(data).to_pylist()]
    # Cuts off the completions of some rows.
    max_length = sorted(chat.encode(conversation, 1000).start for conversation in conversations)[4]
    job = Job(
        adapter="a",
        settings=Lora(method="lora", max_length=max_length),
        models=Models(generator=str(tiny), student=str(tiny)),
        seed=1,
        data=data,
        output=tmp_path,
        checkpoints=tmp_path / "c",
    )
    rows = encoding.rows_of(data)
    trainer = SFTTrainer(
        model=model,
        args=arguments.supervised(job),
        train_dataset=encoding.encode(rows, chat, max_length),
        processing_class=chat.tokenizer,
    )
    ours = [chat.encode(conversation, max_length) for conversation in conversations]
    kept = [row for row in ours if row.tokens]
    assert len(kept) < len(ours)
    dataset: Any = trainer.train_dataset
    batch = trainer.data_collator([dataset[index] for index in range(len(kept))])
    for row, ids, labels in zip(kept, batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        assert ids[: len(row.ids)] == row.ids
        assert [label != -100 for label in labels] == [row.start <= at < len(row.ids) for at in range(len(ids))]


def reference(model: Any, row: Encoded) -> float:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.ids])).logits[0].double()
    likelihoods = logits.log_softmax(-1)
    virtual = len(logits) - len(row.ids)
    return -sum(likelihoods[virtual + at - 1, row.ids[at]].item() for at in range(row.start, len(row.ids)))


def test_equals_a_naive_reference(model: Any, encoded: Rows, adapters: dict[str, Path]) -> None:
    assert scoring.losses(model, encoded, 2) == pytest.approx([reference(model, row) for row in encoded], rel=1e-5)
    base = scoring.losses(model, encoded, 2)
    for path in adapters.values():
        with loaded_adapter(model, path) as adapted:
            scored = scoring.losses(adapted, encoded, 2)
            assert scored == pytest.approx([reference(adapted, row) for row in encoded], rel=1e-5)
            assert scored != pytest.approx(base, rel=1e-5)
        assert scoring.losses(model, encoded, 2) == base


@pytest.mark.parametrize("storage", ["float32", "mixed"])
@given(batch_tokens=st.integers(1, 3000), pad=st.integers(0, 50), shuffle=st.randoms())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batching_does_not_change_the_first_five_digits(
    tiny: Path,
    encoded: Rows,
    adapters: dict[str, Path],
    storage: str,
    batch_tokens: int,
    pad: int,
    shuffle: random.Random,
) -> None:
    model = model_in(tiny, storage)
    order = shuffle.sample(range(len(encoded)), len(encoded))
    base = together = scoring.losses(model, encoded, 2)
    for path in (None, *adapters.values()):
        with loaded_adapter(model, path) if path else nullcontext(model) as adapted:
            if path:
                together = scoring.losses(adapted, encoded, 2)
            again = scoring.losses(adapted, [encoded[index] for index in order], pad, batch_tokens)
        assert again == pytest.approx([together[index] for index in order], rel=5e-6)
        # A difference of losses is as accurate as the losses.
        assert sum(again) - sum(base) == pytest.approx(sum(together) - sum(base), abs=5e-6 * sum(base))


@cache
def model_in(path: Path, storage: str) -> Any:
    """A student with weights in float32, or in bfloat16 with arithmetic in float32."""
    if storage == "float32":
        return loading.load_model(str(path), torch.float32)
    model = loading.load_model(str(path), torch.bfloat16)
    precision.in_float32(model)
    return model


def test_a_new_lora_scores_exactly_as_the_base(model: Any, encoded: Rows, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    base = scoring.losses(model, encoded, 2)
    fresh = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    assert scoring.losses(fresh, encoded, 2) == base


def test_merging_does_not_change_losses(model: Any, encoded: Rows, adapters: dict[str, Path]) -> None:
    with loaded_adapter(model, adapters["lora"]) as adapted:
        unmerged = scoring.losses(adapted, encoded, 2)
    with merged_adapter(model, adapters["lora"]) as merged:
        assert scoring.losses(merged, encoded, 2) == pytest.approx(unmerged, rel=1e-4)


def test_truncated_rows() -> None:
    assert Encoded([1, 2, 3], 3).tokens == 0
    assert Encoded([1, 2, 3], 0).tokens == 2
