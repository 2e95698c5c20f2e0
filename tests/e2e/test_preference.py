"""Preference pairs from the command line: a run with them, and what is refused."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.e2e.conftest import Finished, Tuner, artifacts_of, manifests
from tests.e2e.test_bad_input import refused

pytestmark = pytest.mark.e2e

SCORED = "preference={{candidates: {{max_tokens: 250}}, scorer: {{reward: {model}}}}}"


def options(*overrides: str) -> list[str]:
    return [part for override in overrides for part in ("--set", override)]


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    """A reward model that reads any answer of the words' model."""
    from tests.tiny import make_tiny_reward_model

    folder = make_tiny_reward_model(tmp_path / "reward")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
    return folder


def test_a_run_makes_pairs_of_an_adapters_answers_and_shows_them(
    one_adapter: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, reward: Path
) -> None:
    chosen = options(SCORED.format(model=reward), "preference.candidates.adapter=lora", "training.lora.epochs=1")
    done = tuner("run", str(one_adapter), *chosen, PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    store = tmp_path / "store"
    made = artifacts_of(store, "words")
    assert [stage for stage, _ in made].count("candidates") == 3
    (pair,) = (manifest for (stage, _), manifest in made.items() if stage == "pair")
    folder = store / "artifacts" / "pair" / pair["fingerprint"] / pair["attempt"]
    train = pl.read_parquet(folder / "train.parquet")
    assert len(train) == pair["metrics"]["pairs"]["train"] > 0
    assert set(train["chosen_from"].struct.field("adapter")) == {"lora"}
    (page,) = store.glob("artifacts/report/*/*/report.html")
    assert "Preference pairs" in page.read_text()

    again = tuner("plan", str(one_adapter), *chosen, "--json")
    stages = {each["stage"]: each for each in json.loads(again.stdout)["stages"]}
    assert {stages[name]["status"] for name in ("candidates", "score", "pair")} == {"cached"}
    assert stages["pair"]["same_bytes"] == "from equal inputs"
    assert stages["candidates"]["same_bytes"] == "on machines alike"


def test_a_run_trains_on_the_pairs_and_compares(
    one_adapter: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, reward: Path
) -> None:
    chosen = options(
        SCORED.format(model=reward),
        "training.lora.epochs=1",
        "training.dpo={method: lora, r: 2, targets: [q_proj, v_proj], objective: dpo, start: lora, epochs: 1}",
        "training.simpo={method: ia3, objective: simpo, epochs: 1}",
    )
    done = tuner("run", str(one_adapter), *chosen, PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    store = tmp_path / "store"
    made = artifacts_of(store, "words")
    assert [stage for stage, _ in made].count("reference") == 1
    trained = {
        manifest["identity"].get("objective", {"name": "sft"})["name"]: manifest
        for (stage, _), manifest in made.items()
        if stage == "train"
    }
    assert set(trained) == {"sft", "dpo", "simpo"}
    folder = store / "artifacts" / "train" / trained["dpo"]["fingerprint"] / trained["dpo"]["attempt"]
    assert pl.read_parquet(folder / "curve.parquet")["margin"][0] == pytest.approx(0, abs=1e-2)
    (evaluated,) = (manifest for (stage, _), manifest in made.items() if stage == "evaluate")
    assert set(evaluated["metrics"]["subjects"]) == {"base", "lora", "dpo", "simpo"}


def test_no_pair_above_the_margin(
    recipe: Path, tmp_path: Path, tuner: Tuner, prefect_url: str, finished: Finished, reward: Path
) -> None:
    store = finished.copy(tmp_path / "store", until="split")
    chosen = options(SCORED.format(model=reward), "preference.margin=50", "preference.candidates.temperatures=[1, 1.2]")
    done = tuner("run", str(recipe), "--until", "pair", *chosen, PREFECT_API_URL=prefect_url)
    refused(done, "0 pairs to train on", "preference.margin is 50, and there would be 1 at", "Lower it")
    assert {"candidates", "score"} <= {stage for stage, _ in manifests(store)}, "what was drawn stays"


def test_a_reward_model_that_is_no_classifier(recipe: Path, tmp_path: Path, tuner: Tuner, word_model: Path) -> None:
    done = tuner("run", str(recipe), *options(SCORED.format(model=word_model)))
    refused(done, "is no reward model", "LlamaForCausalLM")
    assert not manifests(tmp_path / "store"), "nothing was drawn before it was looked at"


def test_a_scorer_that_is_none(recipe: Path, tuner: Tuner) -> None:
    done = tuner("run", str(recipe), *options("preference={scorer: {}}"))
    refused(done, "preference.scorer", "set one of reward: MODEL, judge: MODEL or rules")
