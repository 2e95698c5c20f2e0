"""Rows of words and the tiny models that answer and score them."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.e2e.words import WORDS, make_word_model
from tests.tiny import make_tiny_model, make_tiny_reward_model
from tuner import loading
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.registry import NAMES, STAGES, planned

ROWS = 16

RECIPE = """
name: pairs
models: {{student: {words}, generator: {words}}}
generation: {{source: file, path: {path}}}
curation: {{language: null, duplicates: {{near: null}}}}
split: {{validation: 0.3}}
preference: {{candidates: {{max_tokens: 250}}, scorer: {{reward: {reward}}}}}
training: {{lora: {{method: lora, r: 2, targets: [q_proj, v_proj], epochs: 1, max_length: 256}}}}
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`words` answers, `reward` and `judge` score; they read as much as is needed."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "words": make_word_model(folder / "words"),
        "reward": make_tiny_reward_model(folder / "reward"),
        "judge": make_tiny_model(folder / "judge"),
    }
    for name in ("reward", "judge"):
        config = made[name] / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 8192}))
    _excite(made["judge"])
    return made


def _excite(folder: Path) -> None:
    """Makes what a random model says hang on all that it reads, instead of on its last words alone."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    stronger = {name: 12 * value if "proj" in name else value for name, value in weights.items()}
    save_file(stronger, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of different rows."""
    path, dice = tmp_path_factory.mktemp("rows") / "mine.jsonl", random.Random(1)
    rows = [
        {
            "instruction": f"{' '.join(dice.sample(WORDS[:-2], 9))} ?",
            "response": f"{' '.join(dice.sample(WORDS[:-2], 15))} .",
        }
        for _ in range(ROWS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


Parse = Callable[..., Recipe]


@pytest.fixture(scope="session")
def parse(models: dict[str, Path], mine: Path) -> Parse:
    """The recipe of these models and rows with overrides, and another `preference.scorer` or file of rows if given."""

    def parsed(*overrides: str, path: Path = mine, **scorer: Any) -> Recipe:
        text = RECIPE.format(path=path, **models)
        changes = [f"preference.scorer={json.dumps(scorer)}"] if scorer else []
        return loading.parse(text, [*changes, *overrides])

    return parsed


@pytest.fixture
def store(tmp_path: Path, parse: Parse, float32: None, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that holds the pairs of the recipe without overrides, made once for all tests."""
    folder = tmp_path_factory.getbasetemp() / "preference"
    if not folder.exists():
        make(parse(), Store(str(folder)))
    shutil.copytree(folder, tmp_path / "store")
    return Store(str(tmp_path / "store"))


def make(recipe: Recipe, store: Store, until: str = "pair") -> dict[str, list[Manifest]]:
    """Makes what pairs are made from, up to a stage."""
    wanted = planned(recipe)
    needed = wanted.upstream(wanted.of(until))
    try:
        return {
            stage: [STAGES[stage].make(recipe, part, store) for part in wanted.of(stage) if part.fingerprint in needed]
            for stage in NAMES[: NAMES.index(until) + 1]
        }
    finally:
        release()


def table(store: Store, manifest: Manifest, name: str) -> pl.DataFrame:
    """A file of an artifact."""
    return pl.read_parquet(store.fetch(manifest, name))
