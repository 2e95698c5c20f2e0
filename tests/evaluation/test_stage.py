"""The stage writes its tables and metrics, with the same tokens for every subject."""

from pathlib import Path

import pyarrow as pa
import pytest

from tests.present import present
from tests.tiny import write_rows
from tuner.artifacts import parquet
from tuner.evaluation.bench import Bench
from tuner.evaluation.evaluate import evaluate
from tuner.models.scoring import losses
from tuner.progress import Event, listening
from tuner.recipe import Recipe

TALKS = (("short", 2), ("long", 4))
"""Conversations by name, with the number of their turns."""


def recipe_on(tiny: Path, **training: dict[str, object]) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "models": {"generator": str(tiny), "student": str(tiny)},
            "generation": {"rows": 1},
            "training": training,
            "evaluation": {"samples": 2, "sample_tokens": 10},
        }
    )


def test_tables_metrics_and_progress(tiny: Path, tmp_path: Path, adapters: dict[str, Path]) -> None:
    recipe = recipe_on(tiny, lora={"method": "lora"}, prompt_tuning={"method": "prompt_tuning"})
    events: list[Event] = []
    with listening(events.append):
        metrics = evaluate(recipe, write_rows(tmp_path / "v.parquet", 5), adapters, tmp_path / "out")
    losses = parquet.read(tmp_path / "out/losses.parquet")
    samples = parquet.read(tmp_path / "out/samples.parquet")
    assert losses["subject"].to_pylist() == ["base"] * 5 + ["lora"] * 5 + ["prompt_tuning"] * 5
    tokens = losses["tokens"].to_pylist()
    assert tokens[:5] == tokens[5:10] == tokens[10:]
    assert samples.num_rows == 6
    assert list(metrics.subjects) == ["base", "lora", "prompt_tuning"]
    for subject, figures in metrics.subjects.items():
        sums = [row["loss_sum"] for row in losses.to_pylist() if row["subject"] == subject]
        assert abs(present(figures.loss) - sum(sums) / sum(tokens[:5])) < 1e-12
        assert present(figures.low) <= present(figures.loss) <= present(figures.high)
        assert (figures.tokens, figures.rows) == (sum(tokens[:5]), 5)
    pairs = [(pair.a, pair.b) for pair in metrics.differences]
    assert pairs == [("lora", "base"), ("prompt_tuning", "base"), ("prompt_tuning", "lora")]
    timed = [(speed.subject, speed.merged, speed.batch_size, speed.new_tokens, speed.times) for speed in metrics.speed]
    assert timed == [
        ("base", False, 2, 2, 5),
        ("lora", False, 2, 2, 5),
        ("lora", True, 2, 2, 5),
        ("prompt_tuning", False, 2, 2, 5),
    ]
    for speed in metrics.speed:
        assert present(speed.low) < present(speed.tokens_per_second) < present(speed.high)
    assert metrics.quantization == {"base": None, "lora": None, "prompt_tuning": None}
    total = 15 + 4 * 5  # rows scored, generations timed
    done = [event.done for event in events]
    assert {event.total for event in events} == {total}
    assert done == sorted(done) and done[-1] == total, "counts all subjects together"


def test_one_row_has_no_interval_and_nf4_is_scored_in_nf4(
    tiny: Path, tmp_path: Path, adapters: dict[str, Path]
) -> None:
    recipe = recipe_on(tiny, lora={"method": "lora", "quantization": "nf4"})
    rows = write_rows(tmp_path / "v.parquet", 1)
    metrics = evaluate(recipe, rows, {"lora": adapters["lora"]}, tmp_path / "out")
    assert metrics.subjects["base"].low is None
    assert metrics.quantization == {"base": "nf4", "lora": "nf4"}
    assert [speed.merged for speed in metrics.speed] == [False, False]


def test_the_loss_of_a_conversation_is_that_of_all_its_answers(tiny: Path, tmp_path: Path) -> None:
    talk = [
        {"role": "user", "content": "How do I bake bread?"},
        {"role": "assistant", "content": "Mix flour and water."},
        {"role": "user", "content": "Explain to a child why."},
        {"role": "assistant", "content": "Sunlight holds all colours."},
    ]
    rows = [{"row_id": name, "prompt": talk[: end - 1], "completion": talk[end - 1 : end]} for name, end in TALKS]
    parquet.write(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    bench = Bench(recipe_on(tiny, lora={"method": "lora"}), tmp_path / "v.parquet", "evaluate", 1)
    bench.load(None)
    bench.score("base", bench.model)
    first, second = bench.chat.answers(talk, 512)
    one, other = losses(bench.model, [first, second], bench.chat.tokenizer.pad_token_id)
    assert bench.losses["base"] == pytest.approx([one, one + other], rel=1e-5)
    assert bench.tokens == [first.tokens, first.tokens + second.tokens]
