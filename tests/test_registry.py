"""The planned artifacts of a recipe: fingerprints depend on the settings that decide them, and on nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import PATIENCE
from tuner import loading
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned, run_name
from tuner.stage import Parts

ROOT = Path(__file__).parents[1]

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""


def plan(*overrides: str) -> Parts:
    return planned(loading.parse(RECIPE, overrides))


def changed(*overrides: str) -> list[str]:
    """The artifacts whose fingerprint differs from that without the overrides."""
    before, after = plan(), plan(*overrides)
    names = []
    for stage in NAMES:
        old = {spec.label: spec.fingerprint for spec in before.of(stage)}
        names += [
            f"{stage} {spec.label}".strip() for spec in after.of(stage) if old.get(spec.label) != spec.fingerprint
        ]
    return names


ALL_SHARDS = ["generate shard 1", "generate shard 2", "generate shard 3", "generate shard 4"]
AFTER_SPLIT = ["train lora", "train prompt_tuning", "evaluate", "report"]
AFTER_MATCH = ["curate", "split", *AFTER_SPLIT]
EXAMINED = ["examine shard 1", "examine shard 2", "examine shard 3", "examine shard 4"]
AFTER_GENERATE = [*EXAMINED, "match part 1", *AFTER_MATCH]


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("seed=7", ALL_SHARDS + AFTER_GENERATE),
        ("models.generator=owner/other", ALL_SHARDS + AFTER_GENERATE),
        ("models.student=owner/other", AFTER_SPLIT),
        ("generation.instruction.temperature=0.9", ALL_SHARDS + AFTER_GENERATE),
        ("curation.quality.minimum=0.6", AFTER_GENERATE),
        ("curation.duplicates.near.similarity=0.8", AFTER_GENERATE),
        ("curation.duplicates.near=null", EXAMINED + AFTER_MATCH),
        ("curation.duplicates.keep=2", AFTER_MATCH),
        ("curation.quality.top_k=9", AFTER_MATCH),
        ("split.validation=0.2", ["split", *AFTER_SPLIT]),
        ("split.tuning=0.1", ["split", *AFTER_SPLIT]),
        ("training.lora.learning_rate=3e-4", ["train lora", "evaluate", "report"]),
        ("training.third={method: lora, r: 2}", ["train third", "evaluate", "report"]),
        ("evaluation.samples=2", ["evaluate", "report"]),
        ("name=other", ["report"]),
    ],
)
def test_a_setting_changes_the_fingerprints_of_what_it_decides_and_no_others(override: str, names: list[str]) -> None:
    assert changed(override) == names


@pytest.mark.parametrize(
    "override",
    [
        "seed=42",
        "training.lora.learning_rate=0.001",
        "training.lora.alpha=16.0",
        "split.validation=1e-1",
        "split.tuning=null",
        "split.tuning=0",
    ],
)
def test_another_spelling_of_a_setting_changes_no_fingerprint(override: str) -> None:
    assert changed(override) == []


def test_settings_of_the_environment_change_no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.settings import settings

    before = plan()
    for key, value in {"BATCH_SIZE": "3", "DTYPE": "float32", "DEVICE": "cpu", "STORE": "s3://b/x"}.items():
        monkeypatch.setenv(f"TUNER_{key}", value)
    settings.cache_clear()
    assert plan() == before


def test_more_rows_add_shards_and_reuse_the_rest() -> None:
    few, more = plan(), plan("generation.rows=144")
    assert len(few.of("generate")) == 4
    assert len(more.of("generate")) == 6
    for stage in ("generate", "examine"):
        assert [spec.fingerprint for spec in more.of(stage)[:4]] == [spec.fingerprint for spec in few.of(stage)]
    assert more.one("curate").fingerprint != few.one("curate").fingerprint


def fingerprints(wanted: Parts) -> dict[str, str]:
    """The fingerprint of every artifact, by its stage and label."""
    return {f"{stage} {spec.label}".strip(): spec.fingerprint for stage in NAMES for spec in wanted.of(stage)}


SPECIAL = ("generation.rounds=2", "generation.prefix=größe ✓")

ELSEWHERE = """
import json, time

time.time = lambda: 4e9  # the year 2096
from tests.test_registry import SPECIAL, fingerprints, plan

print(json.dumps(fingerprints(plan(*SPECIAL))))
"""


@pytest.mark.parametrize("hash_seed", ["0", "1", "4294967295"])
def test_fingerprints_are_equal_in_another_process_at_another_time_and_place(hash_seed: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "TZ": "Pacific/Kiritimati",
    }
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == fingerprints(plan(*SPECIAL))


def reordered(value: Any) -> Any:
    """The same settings with keys in reverse order, except the adapters, whose order is that of the report."""
    if not isinstance(value, dict):
        return value
    return {
        key: {name: reordered(each) for name, each in value[key].items()}
        if key == "training"
        else reordered(value[key])
        for key in reversed(value)
    }


@pytest.mark.parametrize("name", loading.shipped())
def test_the_order_of_keys_changes_no_fingerprint(name: str) -> None:
    recipe = loading.load(name)
    plain = recipe.model_dump(mode="json")
    other = reordered(plain)
    assert list(other) == list(reversed(plain))
    assert fingerprints(planned(Recipe.model_validate(other))) == fingerprints(planned(recipe))


class TestRounds:
    def test_one_round_is_the_default(self) -> None:
        assert fingerprints(plan("generation.rounds=1")) == fingerprints(plan())

    def test_each_round_generates_the_rows_of_a_recipe_with_its_seed(self) -> None:
        both = plan("generation.rounds=3")
        alone = [plan(f"seed={42 + number}") for number in range(3)]
        for stage in ("generate", "examine"):
            wanted = [spec.fingerprint for recipe in alone for spec in recipe.of(stage)]
            assert [spec.fingerprint for spec in both.of(stage)] == wanted

    @pytest.mark.parametrize("rounds", [1, 2])
    def test_another_round_keeps_all_generated_examined_and_matched_artifacts(self, rounds: int) -> None:
        before, after = plan(f"generation.rounds={rounds}"), plan(f"generation.rounds={rounds + 1}")
        for stage in ("generate", "examine", "match"):
            old, new = before.of(stage), after.of(stage)
            assert new[: len(old)] == old
            assert len(new) > len(old)
        assert after.one("curate").fingerprint != before.one("curate").fingerprint

    def test_partitions_of_the_search_grow_with_the_rows_of_all_rounds(self) -> None:
        parts = plan("generation.rows=800000", "generation.shard_rows=100000", "generation.rounds=3").of("match")
        assert [spec.label for spec in parts] == [
            "part 1",
            "round 2 part 1",
            "round 2 part 2",
            "round 3 part 1",
            "round 3 part 2",
            "round 3 part 3",
        ]
        assert [len(spec.inputs["examined"]) for spec in parts] == [8, 16, 16, 24, 24, 24]

    def test_labels_and_fingerprints_are_unique_in_a_stage(self) -> None:
        wanted = plan("generation.rounds=3")
        for stage in NAMES:
            labels = [spec.label for spec in wanted.of(stage)]
            assert len(set(labels)) == len(labels)
            names = [spec.fingerprint for spec in wanted.of(stage)]
            assert len(set(names)) == len(names)
        assert [spec.label for spec in wanted.of("generate")[3:6]] == ["shard 4", "round 2 shard 1", "round 2 shard 2"]


def test_an_incomplete_last_shard_is_another_artifact() -> None:
    full, rest = plan("generation.rows=48"), plan("generation.rows=40")
    assert full.of("generate")[0].fingerprint == rest.of("generate")[0].fingerprint
    assert full.of("generate")[1].fingerprint != rest.of("generate")[1].fingerprint


def test_fingerprints_are_unique_in_a_recipe() -> None:
    all_fingerprints = [spec.fingerprint for stage in NAMES for spec in plan().of(stage)]
    assert len(set(all_fingerprints)) == len(all_fingerprints) == 4 + 4 + 1 + 1 + 1 + 2 + 1 + 1


def test_a_run_is_named_after_its_recipe_and_its_report() -> None:
    recipe = loading.parse(RECIPE)
    assert run_name(recipe) == f"small-{plan().one('report').fingerprint[:8]}"


def test_an_invalid_model_is_named_by_its_key() -> None:
    with pytest.raises(InputError, match=r"^models\.student: 'what is this' is not a model: write pypi:"):
        plan("models.student=what is this")
