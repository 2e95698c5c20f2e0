"""Likelihoods of pairs: equal to a naive reference, whether the prompt is shared or not, and whatever the batch."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.tiny import SENTENCES
from tuner.artifacts import parquet
from tuner.models import chat, loading
from tuner.models.settings import Models
from tuner.training import pairs
from tuner.training.pairs import Pair
from tuner.training.reference import likelihoods


def write_pairs(path: Path, count: int = 6) -> Path:
    """Writes pairs: an answer in words against one in other words."""
    rows = []
    for number in range(count):
        said = {
            "prompt": [{"role": "user", "content": f"{SENTENCES[number % 5]} Number {number}."}],
            "chosen": [{"role": "assistant", "content": SENTENCES[(number + 1) % 5]}],
            "rejected": [{"role": "assistant", "content": f"Zq xv {number}, kj wz! Qx jv."}],
        }
        rows.append({"row_id": f"0-0-{number}", **said})
    parquet.write(pa.Table.from_pylist(rows), path)
    return path


@pytest.fixture(scope="module")
def student(tiny: Path) -> chat.Chat:
    return chat.load(Models(generator=str(tiny), student=str(tiny)), "student")


@pytest.fixture(scope="module")
def model(tiny: Path) -> Any:
    return loading.load_model(str(tiny), torch.float32).eval()


def naive(model: Any, prompt: list[int], answer: list[int]) -> float:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(-1)
    return sum(logits[len(prompt) - 1 + at, token].item() for at, token in enumerate(answer))


def test_a_file_is_encoded_as_rows_are(student: chat.Chat, tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "pairs.parquet")
    rows, encoded = parquet.read(path).to_pylist(), pairs.encoded(path, student, 512)
    for row, pair in zip(rows, encoded, strict=True):
        for name in ("chosen", "rejected"):
            whole = student.encode(row["prompt"] + row[name], 512)
            assert [*pair.prompt, *getattr(pair, name)] == whole.ids
            assert len(pair.prompt) == whole.start


def test_pairs_without_room_for_both_answers_are_left_out(student: chat.Chat, tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "pairs.parquet")
    starts = sorted(len(pair.prompt) for pair in pairs.encoded(path, student, 512))
    cut = pairs.encoded(path, student, starts[2])
    assert len(cut) == sum(start < starts[2] for start in starts)
    assert all(len(pair.prompt) + len(pair.chosen) <= starts[2] for pair in cut)


ids = st.lists(st.integers(0, 299), min_size=1, max_size=9)


@given(batch=st.lists(st.builds(Pair, st.just("a"), ids, ids, ids), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_layouts_equal_a_naive_reference(model: Any, batch: list[Pair]) -> None:
    assert pairs.shares_prompts(model)
    with torch.no_grad():
        both = [pairs.likelihoods(model, pairs.together(batch, 2)), pairs.likelihoods(model, pairs.apart(batch, 2))]
    for chosen, rejected in both:
        assert chosen.tolist() == pytest.approx([naive(model, p.prompt, p.chosen) for p in batch], rel=1e-4)
        assert rejected.tolist() == pytest.approx([naive(model, p.prompt, p.rejected) for p in batch], rel=1e-4)


def test_a_learned_prompt_is_laid_out_apart(model: Any, tiny: Path, student: chat.Chat, tmp_path: Path) -> None:
    from tuner.training.methods.prompt_tuning import PromptTuning

    adapted = PromptTuning(method="prompt_tuning", virtual_tokens=4).adapted(model, str(tiny))
    assert not pairs.shares_prompts(adapted)
    encoded = pairs.encoded(write_pairs(tmp_path / "pairs.parquet"), student, 512)
    together = likelihoods(adapted, encoded, 2)
    alone = [likelihoods(adapted, [pair], 2)[0] for pair in encoded]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert together[0] != pytest.approx(likelihoods(model, encoded, 2)[0], rel=1e-3)


@pytest.mark.parametrize("changed", [{"sliding_window": 8}, {"layer_types": ["full_attention", "sliding_attention"]}])
def test_other_attention_is_laid_out_apart(tiny: Path, changed: dict[str, object]) -> None:
    other = loading.load_model(str(tiny), torch.float32)
    for name, value in changed.items():
        setattr(other.config, name, value)
    assert not pairs.shares_prompts(other)


def test_with_the_adapter_off_it_is_the_bare_model_to_the_bit(tiny: Path, student: chat.Chat, tmp_path: Path) -> None:
    from tuner.training.methods.lora import Lora

    encoded = pairs.encoded(write_pairs(tmp_path / "pairs.parquet"), student, 512)
    bare = likelihoods(loading.load_model(str(tiny), torch.float32), encoded, 2)
    adapted: Any = Lora(method="lora").adapted(loading.load_model(str(tiny), torch.float32), str(tiny))
    for weight in adapted.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight)
    assert likelihoods(adapted, encoded, 2) != bare
    with adapted.disable_adapter():
        assert likelihoods(adapted, encoded, 2) == bare


def test_mismatched_answers_are_the_next_pairs() -> None:
    batch = [Pair(str(number), [number], [10 + number], [20 + number]) for number in range(3)]
    assert [(pair.prompt, pair.chosen) for pair in pairs.mismatched(batch)] == [([0], [11]), ([1], [12]), ([2], [10])]
