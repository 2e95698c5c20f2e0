"""Held-out preference pairs: margins against the base, and the divergence from what a training began with."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from tests.tiny import SENTENCES, write_rows
from tuner.artifacts import parquet
from tuner.evaluation.bench import Bench
from tuner.evaluation.preferring import Preferring
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import scoring
from tuner.models.chat import Chat, Encoded
from tuner.recipe import Recipe

PAIRS = 3


def recipe(tiny: Path, **training: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "models": {"generator": str(tiny), "student": str(tiny)},
            "generation": {"rows": 1},
            "preference": {"scorer": {"rules": ["form"]}},
            "training": training,
            "evaluation": {"samples": 2, "sample_tokens": 6},
        }
    )


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        {
            "row_id": f"0-0-{number}",
            "prompt": [{"role": "user", "content": SENTENCES[number]}],
            "chosen": [{"role": "assistant", "content": SENTENCES[number + 1]}],
            "rejected": [{"role": "assistant", "content": SENTENCES[number + 2][: 10 + number]}],
        }
        for number in range(PAIRS)
    ]
    parquet.write(pa.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


def measured(plan: Recipe, tmp_path: Path, pairs: Path, adapters: dict[str, Path]) -> Preferring:
    bench = Bench(plan, write_rows(tmp_path / "validation.parquet", 5), "evaluate", 1 + len(adapters))
    bench.load(None)
    found = Preferring(bench, pairs, adapters)
    bench.measure("base", bench.model)
    found.measure("base", bench.model)
    for name, folder in adapters.items():
        with loaded_adapter(bench.model, folder) as model:
            bench.measure(name, model)
            found.measure(name, model)
    return found


def log_likelihood(model: Any, encoded: Encoded) -> float:
    ids = torch.tensor([encoded.ids])
    with torch.inference_mode():
        logits = torch.log_softmax(model(input_ids=ids).logits[0, -len(encoded.ids) :].float(), dim=-1)
    places = range(encoded.start, len(encoded.ids))
    return sum(logits[place - 1, encoded.ids[place]].item() for place in places)


def test_margins_are_against_the_base(tiny, tmp_path, pairs, adapters, model, chat: Chat) -> None:
    plan = recipe(tiny, lora={"method": "lora", "objective": "dpo"}, prompt_tuning={"method": "prompt_tuning"})
    found = measured(plan, tmp_path, pairs, adapters).preferred()
    assert list(found) == ["lora", "prompt_tuning"]
    encoded = [
        [chat.encode(row["prompt"] + row[name], 2048) for name in ("chosen", "rejected")]
        for row in parquet.read(pairs).to_pylist()
    ]

    def gaps() -> list[float]:
        return [log_likelihood(model, chosen) - log_likelihood(model, rejected) for chosen, rejected in encoded]

    before = gaps()
    with loaded_adapter(model, adapters["lora"]) as adapted:
        model = adapted
        margins = [gap - was for gap, was in zip(gaps(), before, strict=True)]
    assert found["lora"].pairs == PAIRS
    assert found["lora"].margin == pytest.approx(sum(margins) / PAIRS, abs=1e-4)
    assert found["lora"].accuracy == sum(margin > 0 for margin in margins) / PAIRS
    low, high = found["lora"].margin_low, found["lora"].margin_high
    assert low is not None and high is not None and low < sum(margins) / PAIRS < high


@pytest.mark.parametrize("method", ["lora", "prompt_tuning"])
def test_the_divergence_is_that_of_the_distributions(method, tiny, tmp_path, pairs, adapters, model, chat) -> None:
    plan = recipe(tiny, **{method: {"method": method, "objective": "dpo"}})
    found = measured(plan, tmp_path, pairs, {method: adapters[method]}).divergences[method]
    rows = parquet.read(tmp_path / "validation.parquet").to_pylist()
    total = tokens = 0.0
    for row in rows:
        encoded = chat.encode(row["prompt"] + row["completion"], 2048)
        ids, predicting = torch.tensor([encoded.ids]), slice(encoded.start - 1, len(encoded.ids) - 1)
        with torch.inference_mode():
            other = torch.log_softmax(model(input_ids=ids).logits[0][predicting], dim=-1)
            with loaded_adapter(model, adapters[method]) as adapted:
                logits = adapted(input_ids=ids).logits[0][-len(encoded.ids) :][predicting]
        own = torch.log_softmax(logits, dim=-1)
        total += (own.exp() * (own - other)).sum().item()
        tokens += encoded.tokens
    assert found.kl == pytest.approx(total / tokens, rel=1e-4)
    assert found.reference == "base" and None not in (found.low, found.high)


def test_an_adapter_that_went_on_from_another_has_that_as_its_reference(tiny, tmp_path, pairs, adapters, model) -> None:
    training = {"lora": {"method": "lora"}, "dpo": {"method": "lora", "objective": "dpo", "start": "lora"}}
    same = measured(recipe(tiny, **training), tmp_path, pairs, {"lora": adapters["lora"], "dpo": adapters["lora"]})
    assert same.divergences["dpo"].reference == "lora" and same.divergences["dpo"].kl == pytest.approx(0, abs=1e-6)
    assert list(same.divergences) == ["dpo"], "an adapter of sft has no reference"


def test_the_lengths_of_answers_are_counted_in_tokens(tiny, tmp_path, pairs, adapters) -> None:
    plan = recipe(tiny, lora={"method": "lora", "objective": "dpo"})
    found = measured(plan, tmp_path, pairs, {"lora": adapters["lora"]})
    found.bench.samples = {"base": ["Sunlight", ""], "lora": ["Sunlight", "Sunlight Sunlight"]}
    lengths = found.lengths(["base", "lora"])
    assert lengths["lora"] == pytest.approx(3 * lengths["base"], abs=1) and lengths["base"] > 0


def test_the_base_diverges_by_nothing_from_itself(model, encoded, chat: Chat) -> None:
    from contextlib import nullcontext

    found = scoring.divergences(model, encoded, chat.tokenizer.pad_token_id, nullcontext)
    assert found == pytest.approx([0.0] * len(encoded), abs=1e-6)
