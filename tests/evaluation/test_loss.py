"""The held-out loss: encoded as in TRL, equal to a naive reference, independent of batching."""

import copy
import random
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tiny import write_rows
from tuner.evaluation import loss
from tuner.evaluation.loss import Encoded
from tuner.evaluation.subjects import loaded_adapter, merged_adapter
from tuner.models import loading, precision
from tuner.training.job import Job
from tuner.training.methods.lora import Lora

Rows = list[Encoded]


@pytest.mark.parametrize("max_length", [256, 70])
def test_ids_and_mask_equal_trls(tiny: Path, tokenizer: Any, model: Any, tmp_path: Path, max_length: int) -> None:
    from trl.trainer.sft_trainer import SFTTrainer

    from tuner.artifacts import parquet
    from tuner.training import worker

    data = write_rows(tmp_path / "train.parquet", 7)
    job = Job(
        adapter="a", settings=Lora(method="lora", max_length=max_length), student=str(tiny), generator=str(tiny),
        seed=1, data=data, output=tmp_path, checkpoints=tmp_path / "c",
    )  # fmt: skip
    trainer = SFTTrainer(
        model=model, args=worker.arguments(job), train_dataset=worker.rows_of(data), processing_class=tokenizer
    )
    rows = parquet.read(data).to_pylist()
    ours = [loss.encode(tokenizer, row["prompt"], row["completion"], max_length) for row in rows]
    kept = [row for row in ours if row.tokens]
    assert len(kept) < len(ours) or max_length == 256
    dataset: Any = trainer.train_dataset
    assert [row.ids for row in kept] == list(dataset["input_ids"])
    masks = [[label != -100 for label in labels] for labels in dataset["labels"]]
    assert [[index >= row.start for index in range(len(row.ids))] for row in kept] == masks


def test_tools_are_rendered_as_in_training(tiny: Path, tokenizer: Any, model: Any, tmp_path: Path) -> None:
    from trl.trainer.sft_trainer import SFTTrainer

    from tuner.artifacts import parquet
    from tuner.training import worker

    data = write_rows(tmp_path / "train.parquet", 3)
    described = ['[{"name":"look","parameters":{"at":"sky"}}]', None, '[{"name":"listen"}]']
    parquet.write(parquet.read(data).append_column("tools", pa.array(described)), data)
    job = Job(
        adapter="a", settings=Lora(method="lora"), student=str(tiny), generator=str(tiny),
        seed=1, data=data, output=tmp_path, checkpoints=tmp_path / "c",
    )  # fmt: skip
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template = "{% if tools %}{{ tools | tojson }}{% endif %}" + tokenizer.chat_template
    trainer = SFTTrainer(
        model=model, args=worker.arguments(job), train_dataset=worker.rows_of(data), processing_class=tokenizer
    )
    rows = parquet.read(data).to_pylist()
    ours = [loss.encode(tokenizer, row["prompt"], row["completion"], 1024, row["tools"]) for row in rows]
    dataset: Any = trainer.train_dataset
    assert [row.ids for row in ours] == list(dataset["input_ids"])
    assert [text in tokenizer.decode(row.ids) for row, text in zip(ours, ("look", "look", "listen"), strict=True)] == [
        True,
        False,
        True,
    ]


def reference(model: Any, row: Encoded) -> float:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.ids])).logits[0].double()
    likelihoods = logits.log_softmax(-1)
    virtual = len(logits) - len(row.ids)
    return -sum(likelihoods[virtual + at - 1, row.ids[at]].item() for at in range(row.start, len(row.ids)))


def test_equals_a_naive_reference(model: Any, encoded: Rows, adapters: dict[str, Path]) -> None:
    assert loss.losses(model, encoded, 2) == pytest.approx([reference(model, row) for row in encoded], rel=1e-5)
    base = loss.losses(model, encoded, 2)
    for path in adapters.values():
        with loaded_adapter(model, path) as adapted:
            scored = loss.losses(adapted, encoded, 2)
            assert scored == pytest.approx([reference(adapted, row) for row in encoded], rel=1e-5)
            assert scored != pytest.approx(base, rel=1e-5)
        assert loss.losses(model, encoded, 2) == base


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
    base = together = loss.losses(model, encoded, 2)
    for path in (None, *adapters.values()):
        with loaded_adapter(model, path) if path else nullcontext(model) as adapted:
            if path:
                together = loss.losses(adapted, encoded, 2)
            again = loss.losses(adapted, [encoded[index] for index in order], pad, batch_tokens)
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

    base = loss.losses(model, encoded, 2)
    fresh = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    assert loss.losses(fresh, encoded, 2) == base


def test_merging_does_not_change_losses(model: Any, encoded: Rows, adapters: dict[str, Path]) -> None:
    with loaded_adapter(model, adapters["lora"]) as adapted:
        unmerged = loss.losses(adapted, encoded, 2)
    with merged_adapter(model, adapters["lora"]) as merged:
        assert loss.losses(merged, encoded, 2) == pytest.approx(unmerged, rel=1e-4)


def test_truncated_rows() -> None:
    assert Encoded([1, 2, 3], 3).tokens == 0
    assert Encoded([1, 2, 3], 0).tokens == 2
