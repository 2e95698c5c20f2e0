"""The stage `judge` with tiny random models: which rows it judges, what it writes, and what curation makes of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.tiny import make_tiny_model, make_tiny_reward_model
from tuner import loading
from tuner.artifacts import parquet
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.judging.metrics import Judged
from tuner.errors import InputError
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.settings import settings

pytestmark = pytest.mark.usefixtures("float32")

ASKED = ["bread", "rivers", "paper", "glass", "salt", "wool"]
SHORT = 6
"""The place of the row that `form` rejects, behind the others."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "judge": make_tiny_model(folder / "judge"),
        "reward": make_tiny_reward_model(folder / "reward"),
    }


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    answer = "It is made of many small parts, which people gather, clean and put together over several days of work."
    rows = [
        {"instruction": f"How is {name} made in {at} steps?", "response": f"{name}: {answer}"}
        for at, name in enumerate(ASKED)
    ]
    rows.append({"instruction": "How?", "response": ""})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe(mine: Path, models: dict[str, Path], *overrides: str, **judging: Any) -> Recipe:
    text = f"""
name: judged
models: {{student: {models["judge"]}}}
generation: {{source: file, path: {mine}}}
training: {{lora: {{method: lora}}}}
"""
    asked = {
        "judge": str(models["judge"]),
        "tags": ["difficulty", "category"],
        "reward": str(models["reward"]),
        **judging,
    }
    return loading.parse(text, ["curation.duplicates.near=null", f"curation.judging={json.dumps(asked)}", *overrides])


def curated(found: Recipe, store: Store) -> tuple[Judged, pl.DataFrame, Path]:
    """Makes everything up to `curate`; returns the metrics of `judge`, all rows, and the file of those kept."""
    wanted, made = planned(found), dict[str, Manifest]()
    try:
        for stage in ("read", "examine", "judge", "match", "curate"):
            for part in wanted.of(stage):
                made[stage] = STAGES[stage].make(found, part, store)
    finally:
        release()
    judged, manifest = Judged.read(made["judge"]), made["curate"]
    rows = pl.DataFrame(parquet.read(store.fetch(manifest, "rows/00000.parquet")))
    return judged, rows, store.fetch(manifest, "kept/00000.parquet")


def test_rows_that_pass_get_tags_and_a_reward_and_the_others_none(mine, models, store):
    judged, rows, kept = curated(recipe(mine, models), store)
    assert (judged.rows, judged.judged, judged.unread) == (7, 6, {})
    assert {kind: sum(counts.values()) for kind, counts in judged.tags.items()} == {"difficulty": 6, "category": 6}
    assert rows[SHORT]["tag_difficulty"].to_list() == rows[SHORT]["reward"].to_list() == [None]
    passed = rows[:SHORT]
    assert passed["tag_difficulty_score"].is_between(0, 1).all() and passed["reward"].n_unique() == 6
    assert passed["tag_category_probability"].is_between(1 / 13, 1).all()
    assert {"tag_difficulty", "tag_category", "reward"} < set(pl.read_parquet(kept).columns)


def test_a_row_is_judged_alike_in_batches_of_any_size(mine, models, store, tmp_path, monkeypatch):
    _, rows, _ = curated(recipe(mine, models), store)
    monkeypatch.setenv("TUNER_BATCH_SIZE", "1")
    settings.cache_clear()
    _, alone, _ = curated(recipe(mine, models), Store(str(tmp_path / "alone")))
    names = [name for name in rows.columns if name.startswith("tag_") or name == "reward"]
    for name in names:
        if rows[name].dtype == pl.String:
            assert rows[name].to_list() == alone[name].to_list()
        else:
            assert (rows[name] - alone[name]).abs().max() < 1e-5  # pyright: ignore[reportOperatorIssue]


def test_the_best_rows_are_those_of_the_highest_reward(mine, models, store):
    _, rows, _ = curated(recipe(mine, models, "curation.quality={by: reward, top_k: 2}"), store)
    best = rows.sort("reward", descending=True, nulls_last=True)["row_id"].head(2)
    assert set(rows.filter(pl.col("verdict") == "kept")["row_id"]) == set(best)


def test_a_reward_below_the_minimum_and_an_unwanted_tag_reject(mine, models, store, tmp_path):
    _, rows, _ = curated(recipe(mine, models), store)
    middle = rows["reward"].median()
    common = rows["tag_difficulty"].drop_nulls().mode()[0]
    found = recipe(mine, models, minimum_reward=middle, reject={"difficulty": [common]})
    _, again, _ = curated(found, Store(str(tmp_path / "again")))
    for row in again[:SHORT].iter_rows(named=True):
        expected = ["unwanted_tag"] * (row["tag_difficulty"] == common) + ["low_reward"] * (row["reward"] < middle)
        assert row["reasons"] == expected
    assert {"low_reward", "unwanted_tag"} <= set(again["reasons"].explode())
    assert {"low_reward", "unwanted_tag"}.isdisjoint(again[SHORT]["reasons"].explode())


def test_a_good_copy_represents_a_cluster_before_one_that_is_rejected(mine, models, store, tmp_path):
    lines = mine.read_text().splitlines()
    mine.write_text(
        "\n".join([*lines, lines[0].upper().replace("INSTRUCTION", "instruction").replace("RESPONSE", "response")])
    )
    _, rows, _ = curated(recipe(mine, models), store)
    pair = rows[[0, 7]]["reward"].to_list()
    assert pair[0] != pair[1]
    limit = sum(pair) / 2
    found = recipe(mine, models, minimum_reward=limit)
    _, again, _ = curated(found, Store(str(tmp_path / "again")))
    assert sorted(again[[0, 7]]["verdict"]) == ["kept", "rejected"]
    assert again[[0, 7]].filter(pl.col("verdict") == "kept")["reward"][0] > limit


def test_rows_are_balanced_by_a_tag_and_a_category_of_their_own_wins(mine, models, store, tmp_path):
    _, rows, _ = curated(recipe(mine, models, "curation.balance={by: difficulty, at_most: 1}"), store)
    kept = rows.filter(pl.col("verdict") == "kept")
    assert kept["tag_difficulty"].n_unique() == len(kept) == rows["tag_difficulty"].n_unique() - 1
    lines = [json.loads(line) for line in mine.read_text().splitlines()]
    for place in range(3):
        lines[place]["category"] = "own"
    mine.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = recipe(mine, models, "curation.balance={by: category, at_most: 1}")
    _, again, _ = curated(found, Store(str(tmp_path / "again")))
    kept = again.filter(pl.col("verdict") == "kept")
    assert kept["category"].fill_null("").eq("own").sum() == 1
    others = kept.filter(pl.col("category").is_null())["tag_category"]
    assert others.n_unique() == len(others) > 0


def test_the_settings_of_curate_leave_the_artifacts_of_judge_valid(mine, models):
    before = planned(recipe(mine, models)).of("judge")[0].fingerprint
    later = planned(recipe(mine, models, minimum_reward=0.5)).of("judge")[0].fingerprint
    other = planned(recipe(mine, models, tags=["quality"])).of("judge")[0].fingerprint
    assert before == later != other


@pytest.mark.parametrize(
    ("judging", "override", "line"),
    [
        ({"judge": None}, "", "curation.judging: judge: is missing; it is the model that gives the tags"),
        ({"tags": ["mood"]}, "", "curation.judging.tags.0: "),
        ({"reward": None, "minimum_reward": 1}, "", "minimum_reward: no row has a reward"),
        ({"reject": {"quality": ["poor"]}}, "", "reject.quality: no row has this tag; add quality to"),
        ({"reject": {"difficulty": ["awful"]}}, "", "reject.difficulty: 'awful' is no tag; known are very easy, easy"),
        ({"reward": None}, "curation.quality.by=reward", "quality.by: no row has a reward"),
        ({}, "curation.quality.by=quality", "quality.by: no row has the tag quality"),
        ({}, "curation.balance={by: intent, at_most: 2}", "balance.by: no row has the tag intent"),
    ],
)
def test_what_no_model_makes_is_refused_in_one_line(mine, models, judging, override, line):
    with pytest.raises(InputError) as error:
        recipe(mine, models, *([override] if override else []), **judging)
    assert line in str(error.value) and "\n" not in str(error.value)


def test_a_model_that_is_no_reward_model_is_refused_in_one_line(mine, models, store, tmp_path):
    with pytest.raises(InputError, match="is no reward model: its configuration says LlamaForCausalLM"):
        curated(recipe(mine, models, reward=str(models["judge"])), store)
    two = make_tiny_reward_model(tmp_path / "two", outputs=2)
    with pytest.raises(InputError, match="is no reward model: it has 2 outputs"):
        curated(recipe(mine, models, reward=str(two)), store)


def test_weights_that_are_no_safetensors_or_lack_the_output_are_refused(mine, models, store, tmp_path):
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(models["reward"], tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    save_file({name: value for name, value in weights.items() if name != "score.weight"}, broken / "model.safetensors")
    with pytest.raises(InputError, match=r"its weights lack score\.weight"):
        curated(recipe(mine, models, reward=str(broken)), store)
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be loaded"):
        curated(recipe(mine, models, reward=str(broken)), store)
