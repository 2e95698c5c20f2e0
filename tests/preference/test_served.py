"""Candidates that are drawn by a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.generation.served import Served, text_of
from tuner.artifacts import parquet
from tuner.generation import seeds
from tuner.generation.shards import ShardSpec
from tuner.models.resident import release
from tuner.models.settings import Models
from tuner.preference.candidates import draw
from tuner.preference.prompts import Prompt
from tuner.preference.settings import Candidates
from tuner.settings import settings


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served()
    monkeypatch.setenv("TUNER_ENGINE", "completions")
    monkeypatch.setenv("TUNER_ENDPOINT", served.url)
    settings.cache_clear()
    yield served
    release()
    served.die()


def test_each_has_a_seed_of_its_own(server: Served, tiny: Path, tmp_path: Path) -> None:
    models = Models(generator=str(tiny), student=str(tiny))
    prompts = [Prompt(f"row {at}", [{"role": "user", "content": f"Why {at}?"}]) for at in range(3)]
    shard = ShardSpec(0, 42, 0, 3)
    metrics = draw(prompts, Candidates(max_tokens=24), models, shard, (), tmp_path, "shard 1")
    rows = parquet.read(tmp_path / "candidates.parquet").to_pylist()
    assert (metrics.engine, metrics.reproducible) == ("completions", "seeded, not equal to the bit")
    assert [(row["row_id"], row["candidate"]) for row in rows] == [(f"row {a}", b) for a in range(3) for b in range(4)]
    asked = {(body["prompt"], body["seed"]): body["temperature"] for body in server.asked if "seed" in body}
    for row in rows:
        (prompt,) = {text for text, _ in asked if f"Why {row['row_id'][-1]}?" in text}
        seed = seeds.of_turn(row["seed"], 1)
        assert asked[prompt, seed] == row["temperature"]
        assert row["response"] == text_of(prompt, seed)
