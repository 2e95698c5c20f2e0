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
    for stage in ("generate", "examine"):
        assert [spec.fingerprint for spec in more.of(stage)[:4]] == [spec.fingerprint for spec in few.of(stage)]
    assert more.curate.fingerprint != few.curate.fingerprint


FIRST_ROUND = {
    "generate shard 1": "5a8c4d16df680ceca4be00231beba3b514d21dc3396a5fc826d260c1b6170969",
    "generate shard 2": "a69c0008473a7e1d08cb3e7ab67fce1247a6ef92d2a95ad2a7ed637eb1d2f38e",
    "generate shard 3": "557e2c19ec181e29b341a0a94602b34d02dff6afccab7e72a07abb775706bc7a",
    "generate shard 4": "236364057d408a533f1864f865d9f39bdb8f3f2accc2af1dcfe2c8c2f8cadfed",
    "examine shard 1": "ad5bc84fc868ad7c90378d7b771db53f43d0ffd04463e9709eac3bc9fd7d96b1",
    "examine shard 2": "0f6b16e06ebb9b354ecbda21e0b7db7f7b9ff868ca3ba4a20176e2e987614739",
    "examine shard 3": "8ce752cb570ac7314342ab5ab2cf2c4f019134949c607642828137a228fe82e6",
    "examine shard 4": "1fe23812958e71e54485b3a4fb2e8dcf5d065af8cfd38b4b4d70b741d006054b",
    "match part 1": "6fe1170fb2d9b9288e6d4397136e800fb8eb3e3e7235dfbe81b265a4f8f979c2",
    "curate": "4367c37327ae942967715e4cc031f07ed769630698047b0bd18421bdf49f7114",
    "split": "7cdf06d7bcd9d11be1fa51b6fcacee0547a7a72f7fbe836704885573f1f32abf",
    "train lora": "25f56f5e5e427dbbf5145e27f426a49fe83ab5da573a87e9c085ee1c9dd757a4",
    "train prompt_tuning": "9278c1dcdd2eb6968059107aae589fe54e4ac7d9c6ddfdfad5f7c2acf6f87f15",
    "evaluate": "579a7d16ced2f2dc6dbf762484d04886b502eb12e08f997c392c31b6cc7e184d",
    "report": "06dece370620b04c68e0225234f9245bd0efb14e57255a7ea95476eb40f206f5",
}
"""What the artifacts of the recipe were called before there were rounds."""


@pytest.mark.parametrize("overrides", [(), ("generation.rounds=1",)])
def test_a_recipe_of_one_round_is_called_what_it_was_before_there_were_rounds(overrides: tuple[str, ...]) -> None:
    found = {
        f"{stage} {spec.label}".strip(): spec.fingerprint
        for stage in specs.STAGES
        for spec in named(*overrides).of(stage)
    }
    assert found == FIRST_ROUND


class TestRounds:
    def test_each_draws_what_a_recipe_with_its_seed_would_draw(self) -> None:
        both = named("generation.rounds=3")
        alone = [named(f"seed={42 + number}") for number in range(3)]
        for stage in ("generate", "examine"):
            wanted = [spec.fingerprint for recipe in alone for spec in recipe.of(stage)]
            assert [spec.fingerprint for spec in both.of(stage)] == wanted

    def test_one_more_keeps_all_that_was_drawn_examined_and_matched(self) -> None:
        before, after = named("generation.rounds=2"), named("generation.rounds=3")
        for stage in ("generate", "examine", "match"):
            old, new = before.of(stage), after.of(stage)
            assert new[: len(old)] == old
            assert len(new) > len(old)
        assert after.curate.fingerprint != before.curate.fingerprint

    def test_the_search_is_divided_by_the_rows_of_all_rounds_so_far(self) -> None:
        found = named("generation.rows=200000", "generation.shard_rows=50000", "generation.rounds=3").matched
        assert [spec.label for spec in found] == [
            "part 1",
            "round 2 part 1",
            "round 2 part 2",
            "round 3 part 1",
            "round 3 part 2",
            "round 3 part 3",
        ]
        assert [len(spec.inputs["examined"]) for spec in found] == [4, 8, 8, 12, 12, 12]

    def test_no_two_of_a_stage_are_called_the_same(self) -> None:
        wanted = named("generation.rounds=3")
        for stage in specs.STAGES:
            labels = [spec.label for spec in wanted.of(stage)]
            assert len(set(labels)) == len(labels)
            names = [spec.fingerprint for spec in wanted.of(stage)]
            assert len(set(names)) == len(names)
        assert [spec.label for spec in wanted.shards[3:6]] == ["shard 4", "round 2 shard 1", "round 2 shard 2"]


def test_a_last_shard_that_is_not_full_is_another_artifact() -> None:
    full, rest = named("generation.rows=48"), named("generation.rows=40")
    assert full.shards[0].fingerprint == rest.shards[0].fingerprint
    assert full.shards[1].fingerprint != rest.shards[1].fingerprint


def test_no_two_artifacts_of_a_recipe_share_a_name() -> None:
    every = [spec.fingerprint for stage in specs.STAGES for spec in named().of(stage)]
    assert len(set(every)) == len(every) == 4 + 4 + 1 + 1 + 1 + 2 + 1 + 1


def test_a_run_is_called_by_its_recipe_and_what_it_ends_in() -> None:
    recipe = loading.parse(RECIPE)
    assert specs.run_name(recipe) == f"small-{named().report.fingerprint[:8]}"


def test_a_model_that_means_nothing_is_named_by_its_key() -> None:
    with pytest.raises(InputError, match=r"^models\.student: 'what is this' is no model: write pypi:"):
        named("models.student=what is this")
