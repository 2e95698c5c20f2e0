"""A plan shows which artifacts exist, why the others are missing and what they will cost, without computing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import s3_environment
from tests.e2e.words import MADE as NAMES
from tests.flaky import flaky
from tests.hollow import hollow
from tests.plans import RECIPE, data, make, make_one, stages
from tuner import forecast, loading, planning
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.provenance import ALIKE, FROM_EQUAL
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.registry import STAGES, planned
from tuner.settings import settings


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def test_in_an_empty_store_everything_is_missing(store: Store) -> None:
    plan = data(store)
    assert [stage["stage"] for stage in plan["stages"]] == list(NAMES)
    assert [stage["total"] for stage in plan["stages"]] == [4, 4, 1, 1, 1, 2, 1, 1]
    for stage in plan["stages"]:
        assert (stage["status"], stage["cached"], stage["reason"]) == ("missing", 0, "never made in this store")


def test_the_plan_is_plain_data(store: Store) -> None:
    plan = json.loads(json.dumps(data(store)))
    assert {"stages", "estimate"} <= set(plan)
    wanted = planned(loading.parse(RECIPE))
    for stage in plan["stages"]:
        assert {"stage", "status", "total", "cached", "fingerprints", "reason"} <= set(stage)
        assert stage["fingerprints"] == [spec.fingerprint for spec in wanted.of(stage["stage"])]
    assert {"minutes", "tokens", "basis"} <= set(plan["estimate"])


def test_the_plan_says_where_an_artifact_has_the_same_bytes(store: Store) -> None:
    said = {stage["stage"]: stage["same_bytes"] for stage in data(store)["stages"]}
    assert {stage for stage, where in said.items() if where == ALIKE} == {"generate", "train", "evaluate"}
    assert said["curate"] == said["report"] == FROM_EQUAL
    examine = planned(loading.parse(RECIPE, ["curation.duplicates.semantic={}"])).of("examine")[0]
    assert not examine.exact
    assert forecast.same_bytes(data(store)).startswith("Same bytes on machines alike: generate, train, evaluate; ")
    make(store)
    by_stage = {stage: next(iter(store.manifests(stage))).provenance["same_bytes"] for stage in NAMES}
    assert by_stage["train"] == ALIKE and by_stage["split"] == FROM_EQUAL


@pytest.mark.parametrize("engine", ["completions", "vllm"])
def test_rows_of_engines_that_round_differently_have_the_same_bytes_nowhere(
    store: Store, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("TUNER_ENGINE", engine)
    settings.cache_clear()
    said = {stage["stage"]: stage["same_bytes"] for stage in data(store)["stages"]}
    assert said["generate"] == "nowhere" and said["train"] == ALIKE and said["curate"] == FROM_EQUAL
    assert forecast.same_bytes(data(store)).startswith("Same bytes nowhere: generate; ")
    make(store)
    by_stage = {stage: next(iter(store.manifests(stage))).provenance["same_bytes"] for stage in NAMES}
    assert (by_stage["generate"], by_stage["train"]) == ("nowhere", ALIKE)


def test_in_a_full_store_everything_is_cached_and_costs_nothing(store: Store) -> None:
    make(store)
    plan = data(store)
    assert {stage["status"] for stage in plan["stages"]} == {"cached"}
    assert {stage["reason"] for stage in plan["stages"]} == {""}
    assert (plan["estimate"]["minutes"], plan["estimate"]["tokens"]) == (0, 0)
    recipe = loading.parse(RECIPE)
    assert planning.plan(recipe, store).complete
    assert planning.plan(recipe, store).missing == []


def test_more_rows_make_the_generation_partial(store: Store) -> None:
    make(store)
    generate = stages(store, "generation.rows=144")["generate"]
    assert (generate["status"], generate["total"], generate["cached"]) == ("partial", 6, 4)
    assert [artifact["status"] for artifact in generate["artifacts"]] == ["cached"] * 4 + ["missing"] * 2


def test_a_reason_names_the_setting_that_differs(store: Store) -> None:
    make(store)
    plan = stages(store, "training.lora.learning_rate=3e-4")
    assert (plan["train"]["status"], plan["train"]["cached"]) == ("partial", 1)
    assert plan["train"]["reason"] == "learning_rate: 0.001 -> 0.0003"
    assert plan["split"]["status"] == "cached"
    assert plan["evaluate"]["reason"] == "input adapters differs"
    assert plan["report"]["reason"].startswith("recipe.training.lora.learning_rate: 0.001 -> 0.0003")


def test_a_reason_is_judged_by_the_nearest_artifact(store: Store) -> None:
    make(store, "curation.quality.target=8", "curation.duplicates.keep=2", stages=("curate",))
    make(store, "curation.duplicates.keep=3", stages=("curate",))
    assert stages(store)["curate"]["reason"] == "duplicates.keep: 3 -> 1"


def test_a_shard_is_compared_with_the_same_shard_of_other_settings(store: Store) -> None:
    make(store, stages=("generate",))
    plan = stages(store, "generation.instruction.temperature=0.9")["generate"]
    assert plan["reason"] == "instruction.temperature: 1.0 -> 0.9"


def test_a_stage_shows_three_reasons_and_each_artifact_its_own(store: Store) -> None:
    make(store)
    wanted = planned(loading.parse(RECIPE)).of("generate")
    for number, spec in enumerate(wanted):
        store.replace(f"artifacts/generate/{spec.fingerprint}/{spec.fingerprint[:12]}/file", b"x" * (number + 2))
    plan = stages(store)["generate"]
    first = [f"shard {number}: damaged: file has {number + 1} bytes instead of 1" for number in (1, 2, 3)]
    assert plan["reason"] == "; ".join([*first, "and 1 more"])
    assert plan["artifacts"][3]["reason"] == "damaged: file has 5 bytes instead of 1"


def test_the_number_of_a_shard_is_no_difference_in_settings(store: Store) -> None:
    make(store, "generation.rows=24", stages=("generate",))
    assert stages(store, "generation.rows=144")["generate"]["reason"] == "not made yet"


def test_a_plan_of_thousands_of_shards_is_a_short_table(store: Store) -> None:
    make(store, "generation.rows=12", "generation.shard_rows=1", stages=("generate",))
    shards = planned(loading.parse(RECIPE, ["generation.rows=12", "generation.shard_rows=1"])).of("generate")
    for number, spec in enumerate(shards[:11]):
        store.replace(f"artifacts/generate/{spec.fingerprint}/{spec.fingerprint[:12]}/file", b"x" * (number + 2))
    table = forecast.rows(data(store, "generation.rows=2000", "generation.shard_rows=1"))
    assert len(table) < 30
    assert table[:3] == [
        ("generate", "1 of 2,000", ""),
        ("  shard 12", "cached", ""),
        ("  shard 1", "missing", "damaged: file has 2 bytes instead of 1"),
    ]
    assert table[9] == ("  shard 8 to shard 2000 (1,992)", "missing", "5 more reasons; --json lists them all")
    assert table[10] == ("examine", "0 of 2,000", "never made in this store")


def test_adapters_are_named_where_they_differ(store: Store) -> None:
    make(store)
    table = forecast.rows(data(store, "training.lora.learning_rate=3e-4"))
    assert table[5:8] == [
        ("train", "1 of 2", ""),
        ("  prompt_tuning", "cached", ""),
        ("  lora", "missing", "learning_rate: 0.001 -> 0.0003"),
    ]


def test_a_new_version_of_a_stage_is_a_reason(store: Store) -> None:
    spec = planned(loading.parse(RECIPE)).one("curate")
    make_one(store, Spec(spec.stage, spec.version - 1, spec.identity, spec.inputs))
    assert stages(store)["curate"]["reason"] == f"stage version: {spec.version - 1} -> {spec.version}"


def test_many_differences_are_cut_short(store: Store) -> None:
    make(store, stages=("generate",))
    changes = [f"generation.instruction.{key}=0.5" for key in ("temperature", "top_p", "min_p")]
    reason = stages(store, *changes, "generation.response.top_p=0.5", "seed=1")["generate"]["artifacts"][0]["reason"]
    assert reason.count("->") == 3
    assert reason.endswith("and 2 more")


def test_damage_is_a_reason(store: Store) -> None:
    make(store)
    wanted = planned(loading.parse(RECIPE))
    curate = store.find("curate", wanted.one("curate").fingerprint)
    split = store.find("split", wanted.one("split").fingerprint)
    assert curate
    assert split
    Path(store.uri(curate, "file")).unlink()
    (Path(store.uri(split)).parent / "manifest.json").write_text("{")
    plan = stages(store)
    assert (plan["curate"]["status"], plan["curate"]["reason"]) == ("missing", "damaged: file is missing")
    assert (plan["split"]["status"], plan["split"]["reason"]) == ("missing", "damaged: manifest.json is not readable")


def test_a_plan_ends_with_the_requested_stage(store: Store) -> None:
    plan = data(store, until="split")
    assert [stage["stage"] for stage in plan["stages"]] == ["generate", "examine", "match", "curate", "split"]
    with pytest.raises(InputError, match=r"^--until ship: no such stage; one of read, generate, examine, "):
        data(store, until="ship")


def test_from_a_stage_the_earlier_artifacts_must_exist(store: Store) -> None:
    recipe = loading.parse(RECIPE)
    with pytest.raises(
        InputError, match=r"^--from curate: generate is not complete in the store: 4 of 4 missing \(never"
    ):
        planning.plan(recipe, store, "split", "curate")
    make(store, stages=("generate", "examine", "match"))
    plan = planning.plan(recipe, store, "split", "curate")
    assert [step.spec.stage for step in plan.missing] == ["curate", "split"]


def test_from_a_stage_after_the_last_is_refused(store: Store) -> None:
    with pytest.raises(InputError, match=r"^--from train: comes after --until split; the stages are read, generate, "):
        planning.plan(loading.parse(RECIPE), store, "split", "train")
    with pytest.raises(InputError, match=r"^--from ship: no such stage"):
        planning.plan(loading.parse(RECIPE), store, since="ship")


def test_steps_are_found_by_their_labels(store: Store) -> None:
    recipe = loading.parse(RECIPE)
    steps = planning.plan(recipe, store).steps["generate"]
    assert planning.stage_steps(recipe, store, "generate") == steps
    assert planning.stage_steps(recipe, store, "generate", ["shard 3", "shard 1"]) == [steps[2], steps[0]]
    with pytest.raises(
        InputError, match=r"^generate: the recipe has no shard 9; it has shard 1, shard 2, shard 3, shard 4"
    ):
        planning.stage_steps(recipe, store, "generate", ["shard 9"])


def test_on_s3_planning_a_complete_run_takes_one_listing_per_stage(
    s3_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, store = loading.parse(RECIPE), Store(s3_url)
    for part in planned(recipe):
        made = hollow(STAGES[part.stage].metrics).model_dump(mode="json")

        def write(folder: Path, made: dict[str, Any] = made) -> dict[str, Any]:
            (folder / "file").write_text("x")
            return made

        store.build(part, write)
    assert planning.plan(recipe, store).complete  # fills this machine's cache of manifests
    with flaky(s3_endpoint, seed=0) as proxy:
        proxy.failure_rate = 0.0
        s3_environment(monkeypatch, proxy.url)
        again = planning.plan(recipe, Store(s3_url))
    assert again.complete
    assert len(proxy.requests) == len(NAMES)
    assert all("list-type=2" in request for request in proxy.requests)


def test_a_new_manifest_is_not_read_from_the_cache(s3_url: str) -> None:
    recipe, store = loading.parse(RECIPE), Store(s3_url)
    (part,) = planned(recipe).of("split")

    made = hollow(STAGES["split"].metrics).model_dump(mode="json")
    first = store.build(part, lambda folder: made)
    assert list(store.look_up("split", [part.fingerprint]).values()) == [first]
    store.invalidate(DamagedArtifactError("split", part.fingerprint, "for a test"))
    assert store.look_up("split", [part.fingerprint]) == {}
    second = store.build(part, lambda folder: made)
    assert second.attempt != first.attempt
    assert list(store.look_up("split", [part.fingerprint]).values()) == [second]


def test_until_a_stage_plans_it_and_its_inputs(store: Store) -> None:
    recipe = loading.parse(RECIPE)
    assert list(planning.plan(recipe, store, "examine").steps) == ["generate", "examine"]
    assert list(planning.plan(recipe, store, "train").steps) == list(NAMES[: NAMES.index("train") + 1])
    assert list(planning.plan(recipe, store).steps) == list(NAMES)
