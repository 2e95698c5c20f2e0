"""The names of things to come follow from the recipe, and from what decides each of them alone."""

import pytest

from tuner import loading, specs
from tuner.errors import InputError
from tuner.specs import Specs

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""


def named(*overrides: str) -> Specs:
    return specs.of_recipe(loading.parse(RECIPE, overrides))


def changed(*overrides: str) -> list[str]:
    """Which artifacts have another name than those of the recipe as it stands."""
    before, after = named(), named(*overrides)
    names = []
    for stage in specs.STAGES:
        old = {spec.label: spec.fingerprint for spec in before.of(stage)}
        names += [
            f"{stage} {spec.label}".strip() for spec in after.of(stage) if old.get(spec.label) != spec.fingerprint
        ]
    return names


ALL_SHARDS = ["generate shard 1", "generate shard 2", "generate shard 3", "generate shard 4"]
AFTER_SPLIT = ["train lora", "train prompt_tuning", "evaluate", "report"]
AFTER_GENERATE = ["curate", "split", *AFTER_SPLIT]


@pytest.mark.parametrize(
    ("override", "names"),
    [
        ("seed=7", ALL_SHARDS + AFTER_GENERATE),
        ("models.generator=owner/other", ALL_SHARDS + AFTER_GENERATE),
        ("models.student=owner/other", AFTER_SPLIT),
        ("generation.instruction.temperature=0.9", ALL_SHARDS + AFTER_GENERATE),
        ("curation.min_quality=0.6", AFTER_GENERATE),
        ("split.validation=0.2", ["split", *AFTER_SPLIT]),
        ("training.lora.learning_rate=3e-4", ["train lora", "evaluate", "report"]),
        ("training.third={method: lora, r: 2}", ["train third", "evaluate", "report"]),
        ("evaluation.samples=2", ["evaluate", "report"]),
        ("name=other", ["report"]),
    ],
)
def test_a_setting_renames_what_it_decides_and_nothing_else(override: str, names: list[str]) -> None:
    assert changed(override) == names


@pytest.mark.parametrize(
    "override", ["seed=42", "training.lora.learning_rate=0.0002", "training.lora.alpha=16.0", "split.validation=1e-1"]
)
def test_another_spelling_of_a_setting_renames_nothing(override: str) -> None:
    assert changed(override) == []


def test_where_it_runs_renames_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.settings import settings

    before = named()
    for key, value in {"BATCH_SIZE": "3", "DTYPE": "float32", "DEVICE": "cpu", "STORE": "s3://b/x"}.items():
        monkeypatch.setenv(f"TUNER_{key}", value)
    settings.cache_clear()
    assert named() == before


def test_more_rows_add_shards_and_reuse_the_rest() -> None:
    few, more = named(), named("generation.rows=144")
    assert len(few.shards) == 4
    assert len(more.shards) == 6
    assert [spec.fingerprint for spec in more.shards[:4]] == [spec.fingerprint for spec in few.shards]
    assert more.curate.fingerprint != few.curate.fingerprint


def test_a_last_shard_that_is_not_full_is_another_artifact() -> None:
    full, rest = named("generation.rows=48"), named("generation.rows=40")
    assert full.shards[0].fingerprint == rest.shards[0].fingerprint
    assert full.shards[1].fingerprint != rest.shards[1].fingerprint


def test_no_two_artifacts_of_a_recipe_share_a_name() -> None:
    every = [spec.fingerprint for stage in specs.STAGES for spec in named().of(stage)]
    assert len(set(every)) == len(every) == 4 + 1 + 1 + 2 + 1 + 1


def test_a_run_is_called_by_its_recipe_and_what_it_ends_in() -> None:
    recipe = loading.parse(RECIPE)
    assert specs.run_name(recipe) == f"small-{named().report.fingerprint[:8]}"


def test_a_model_that_means_nothing_is_named_by_its_key() -> None:
    with pytest.raises(InputError, match=r"^models\.student: 'what is this' is no model: write pypi:"):
        named("models.student=what is this")
