"""The next round follows from the runs in the store; old rows keep their side of the split."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.present import present
from tests.regeneration.conftest import Complete
from tuner import loading, runs
from tuner.artifacts import aliases, parquet
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.metrics import Curated
from tuner.lineage import lineage
from tuner.recipe import Recipe
from tuner.regeneration.rounds import following, undecided
from tuner.registry import planned
from tuner.runs import Run, State
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import written


def changed(recipe: Recipe, *overrides: str) -> Recipe:
    return loading.parse(loading.text(recipe), overrides)


def done(
    store: Store, recipe: Recipe, state: State = "completed", until: str = "report", name: str | None = None
) -> str:
    """A run of which only the record exists."""
    run = Run.start(store, recipe, name, until)
    run.note(planned(recipe).one("split"), "made")
    run.end(state)
    return run.name


def split_of(store: Store, recipe: Recipe) -> Manifest:
    return present(store.find("split", planned(recipe).one("split").fingerprint))


def sides(store: Store, recipe: Recipe) -> dict[str, set[str]]:
    split = split_of(store, recipe)
    return {
        side: set(parquet.read(store.fetch(split, f"{side}.parquet"))["row_id"].to_pylist())
        for side in (*written(split), "left_out")
    }


class TestFollowing:
    def test_the_first_round_is_the_recipe_itself(self, store: Store, recipe: Recipe) -> None:
        assert following(recipe, store) == recipe

    def test_a_completed_round_is_followed_by_the_next_on_its_split(self, store: Store, recipe: Recipe) -> None:
        done(store, recipe)
        second = following(recipe, store)
        assert second.generation.rounds == 2
        assert second.split.former == planned(recipe).one("split").fingerprint
        assert changed(second, "generation.rounds=1", "split.former=null") == recipe
        done(store, second)
        third = following(recipe, store)
        assert (third.generation.rounds, third.split.former) == (3, planned(second).one("split").fingerprint)

    def test_what_a_sweep_decided_makes_no_other_recipe(self, store: Store, recipe: Recipe) -> None:
        swept = changed(recipe, "training.one.sweep={r: [4, 8]}")
        sweep = present(swept.training["one"].sweep)
        done(store, swept.with_sweep("one", sweep.model_copy(update={"raced": ((1,),)})))
        assert following(swept, store).generation.rounds == 2

    @pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
    def test_an_incomplete_round_is_resumed(self, store: Store, recipe: Recipe, state: State) -> None:
        done(store, recipe)
        second = following(recipe, store)
        done(store, second, state)
        assert following(recipe, store) == second

    def test_a_run_that_stopped_before_the_report_does_not_count(self, store: Store, recipe: Recipe) -> None:
        done(store, recipe, until="split")
        assert following(recipe, store) == recipe

    def test_runs_of_another_recipe_do_not_count(self, store: Store, recipe: Recipe) -> None:
        done(store, changed(recipe, "training.one.r=8"))
        done(store, changed(recipe, "seed=43"))
        assert following(recipe, store) == recipe

    def test_a_recipe_of_several_rounds_begins_with_them(self, store: Store, recipe: Recipe) -> None:
        done(store, recipe)
        third = changed(recipe, "generation.rounds=3")
        assert following(third, store) == third
        done(store, third)
        assert following(third, store).generation.rounds == 4

    def test_it_survives_a_round_trip_through_yaml(self, store: Store, recipe: Recipe) -> None:
        done(store, recipe)
        second = following(recipe, store)
        assert loading.parse(loading.text(second)) == second


def test_a_completed_round_is_undecided_until_its_adapter_was_the_challenger(
    store: Store, recipe: Recipe, complete: Complete
) -> None:
    assert undecided(recipe, store) is None
    run = complete(recipe, until="train")
    assert undecided(recipe, store) == recipe
    fingerprint = planned(recipe).one("train", "one").fingerprint
    aliases.point(store, "challenger", run=run, adapter="one", fingerprint=fingerprint, why="a test")
    assert undecided(recipe, store) is None
    done(store, recipe, name="again")
    assert undecided(recipe, store) is None
    second = following(recipe, store)
    done(store, second, "running")
    assert undecided(recipe, store) is None
    done(store, second)
    assert undecided(recipe, store) == second


@pytest.fixture
def grown(store: Store, recipe: Recipe, complete: Complete) -> tuple[Recipe, Recipe, str]:
    """Two rounds up to their splits, and the second one's run."""
    complete(recipe, until="split")
    second = following(recipe, store)
    return recipe, second, complete(second, until="split")


def test_old_rows_keep_their_sides_and_new_rows_are_added(store: Store, grown: tuple[Recipe, Recipe, str]) -> None:
    first, second, _ = grown
    before, after = sides(store, first), sides(store, second)
    assert before["train"] < after["train"]
    assert before["validation"] < after["validation"]
    split = SplitMetrics.read(split_of(store, second))
    assert split.former_rows == len(before["train"]) + len(before["validation"])
    templates = [parquet.read(store.fetch(split_of(store, recipe), "templates.parquet")) for recipe in (first, second)]
    assert templates[0] == templates[1]
    # Three rows are rejected as duplicates: two of the second round, one of the first.
    curated = Curated.read(present(store.find("curate", planned(second).one("curate").fingerprint)))
    assert (curated.rows, curated.kept) == (160, 157)


def test_tuning_rows_keep_their_side_too(store: Store, recipe: Recipe, complete: Complete) -> None:
    first = changed(recipe, "split.tuning=0.3")
    run = complete(first, until="split")
    second = following(first, store)
    assert second.split.tuning == 0.3
    complete(second, until="split")
    before, after = sides(store, first), sides(store, second)
    assert before["tuning"] < after["tuning"]
    assert before["train"] < after["train"]
    assert before["validation"] < after["validation"]
    for side in ("train", "tuning", "validation"):
        assert lineage(store, runs.find(store, run), min(before[side]))["row"]["side"] == side


def test_a_former_split_that_compared_whole_instructions_has_no_templates(
    store: Store, grown: tuple[Recipe, Recipe, str], complete: Complete
) -> None:
    first, second, _ = grown
    current = split_of(store, first)

    def earlier(folder: Path) -> dict[str, Any]:
        for name in ("train.parquet", "validation.parquet"):
            shutil.copyfile(store.fetch(current, name), folder / name)
        return current.metrics

    former = store.build(Spec("split", 3, {}, {}), earlier).fingerprint
    third = changed(second, f"split.former={former}")
    complete(third, until="split")
    assert sides(store, first)["train"] < sides(store, third)["train"]
    assert parquet.read(store.fetch(split_of(store, third), "templates.parquet")).num_rows == 0


def test_lineage_leads_from_a_row_to_the_shard_of_its_round(store: Store, grown: tuple[Recipe, Recipe, str]) -> None:
    _, second, run = grown
    history = lineage(store, runs.find(store, run), "43-1-3")["row"]
    assert (history["row_id"], history["shard"], history["verdict"]) == ("43-1-3", 1, "kept")
    assert history["shard_fingerprint"] == planned(second).of("generate")[3].fingerprint
    assert "file" not in history


def test_a_card_states_the_number_of_rounds(store: Store, grown: tuple[Recipe, Recipe, str], tmp_path: Path) -> None:
    from tuner.export.dataset import fill

    (tmp_path / "out").mkdir()
    fill(store, runs.find(store, grown[2]), tmp_path / "out")
    assert "in 2 rounds, each under a seed of its own: 42 to 43" in (tmp_path / "out" / "README.md").read_text()
