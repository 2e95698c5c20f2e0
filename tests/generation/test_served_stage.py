"""The stage `generate` with its rows drawn by a server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import placement
from tasks.slots import uses_gpu
from tests.generation.served import Served, text_of
from tuner import loading, planning, suitability
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.generation import engines
from tuner.generation.generate import generate
from tuner.generation.shards import shards
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.settings import Settings, settings


def test_the_settings_choose_the_engine(server: Served, tiny: Path) -> None:
    engine = engines.open_engine(str(tiny), Settings(engine="completions", endpoint=f"{server.url}/v1"))
    assert engine.facts().engine == "completions"
    engine.close()
    with pytest.raises(InputError, match=r"^TUNER_ENDPOINT: TUNER_ENGINE=completions needs a server's URL"):
        engines.open_engine(str(tiny), Settings(engine="completions"))


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    release()
    yield
    release()


@pytest.fixture
def recipe(server: Served, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose generator has no weights on this machine, to be drawn by the server."""
    folder = shutil.copytree(tiny, tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    monkeypatch.setenv("TUNER_ENGINE", "completions")
    monkeypatch.setenv("TUNER_ENDPOINT", server.url)
    settings.cache_clear()
    return loading.parse(
        f"name: tiny\nmodels: {{generator: {folder}, student: {tiny}}}\n"
        "generation: {rows: 8, shard_rows: 5, instruction: {max_tokens: 12}, response: {max_tokens: 12}}\n"
        "training: {lora: {method: lora}}\n"
    )


def test_rows_are_drawn_without_weights_and_the_metrics_say_how(server: Served, recipe: Recipe, tmp_path: Path) -> None:
    from tuner.artifacts import parquet

    metrics = generate(recipe, shards(recipe)[0], tmp_path)
    rows = parquet.read(tmp_path / "rows.parquet").to_pylist()
    assert [row["index"] for row in rows] == [0, 1, 2, 3, 4]
    assert {row["outcome"] for row in rows} == {"complete"}
    assert all(row["response"] == text_of(row["response_prompt"], seed) for row, seed in seeded(server, rows))
    assert len({row["instruction"] for row in rows}) == 5
    assert (metrics.engine, metrics.device) == ("completions", f"127.0.0.1:{server.port}")
    assert (metrics.served_model, metrics.dtype, metrics.slots) == ("tiny", "server's", 5)
    assert metrics.reproducible == "seeded, not equal to the bit"
    assert metrics.tokens == sum(row["instruction_tokens"] + row["response_tokens"] for row in rows) == 10 * 11


def seeded(server: Served, rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """The rows with the seeds of their responses."""
    seeds = {body["prompt"]: body["seed"] for body in server.asked}
    return [(row, seeds[row["response_prompt"]]) for row in rows]


def test_a_plan_says_what_it_means(server: Served, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planning.plan(recipe, Store(settings().store))
    line = f"generation by completions at 127.0.0.1:{server.port}: seeded, not equal to the bit"
    assert suitability.check(recipe, plan) == [line]
    monkeypatch.setenv("TUNER_ENDPOINT", "")
    settings.cache_clear()
    with pytest.raises(InputError, match=r"^TUNER_ENDPOINT: "):
        suitability.check(recipe, plan)


def test_no_server_is_one_line_before_anything_is_drawn(server: Served, recipe: Recipe) -> None:
    plan = planning.plan(recipe, Store(settings().store))
    suitability.reach(plan)
    server.die()
    try:
        with pytest.raises(InputError, match=rf"^TUNER_ENDPOINT: {server.url} does not answer: .*; start"):
            suitability.reach(plan)
    finally:
        server.live()


def test_it_needs_no_gpu(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not uses_gpu("generate") and uses_gpu("train")
    monkeypatch.setenv("TUNER_ENGINE", "transformers")
    settings.cache_clear()
    assert uses_gpu("generate")


def test_rays_workers_are_not_told_the_key_by_us(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_ENDPOINT_KEY", "sk-hidden")
    variables = placement._worker_environment()
    assert variables["TUNER_ENGINE"] == "completions" and "sk-hidden" not in variables.values()
