"""The champion changes only if the challenger is better beyond the interval, on rows that neither was trained on."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hollow import hollow
from tests.present import present
from tests.regeneration.conftest import RECIPE, Complete
from tests.tiny import make_tiny_model
from tuner import loading
from tuner.artifacts import aliases, parquet
from tuner.artifacts.store import Store
from tuner.errors import InputError, StageError
from tuner.evaluation.metrics import Evaluated, Loss
from tuner.recipe import Recipe
from tuner.regeneration.comparison import compare
from tuner.regeneration.contest import contest
from tuner.regeneration.decision import Decision, decide
from tuner.regeneration.metrics import Compared
from tuner.regeneration.rounds import following
from tuner.registry import planned
from tuner.runs import Run


def decided(store: Store, run: str) -> Decision:
    return decide(store, run, compare(store, run))


def named(store: Store, alias: str) -> list[tuple[str, str]]:
    """Where an alias pointed, the latest last."""
    return [(entry.run, entry.adapter) for entry in aliases.history(store, alias)]


def test_where_there_is_no_champion_the_best_adapter_becomes_it(
    store: Store, recipe: Recipe, complete: Complete
) -> None:
    run = complete(recipe, one="bad", two="good")
    decision = decided(store, run)
    assert decision.promoted
    assert decision.line == f"two of {run} is the new champion: there is no champion yet"
    assert named(store, "champion") == named(store, "challenger") == [(run, "two")]
    entry = present(aliases.current(store, "champion"))
    assert (entry.fingerprint, entry.why) == (decision.fingerprint, "there is no champion yet")
    assert entry.fingerprint == planned(recipe).one("train", "two").fingerprint
    assert decision.comparison.challenger.loss == 1


def test_an_adapter_whose_training_diverged_is_not_the_challenger(store: Store, recipe: Recipe) -> None:
    Run.start(store, recipe, "mine", "report").end("completed")
    subjects = {name: hollow(Loss, loss=loss, rows=24) for name, loss in {"one": math.nan, "two": 3.0}.items()}
    evaluated = hollow(Evaluated, subjects=subjects).model_dump(mode="json")
    store.build(planned(recipe).one("evaluate"), lambda folder: evaluated)
    assert contest(store, "mine").adapter == "two"


def test_few_held_out_rows_move_no_alias(store: Store, recipe: Recipe, complete: Complete) -> None:
    run = complete(recipe, one="bad", two="good", rows=19)
    decision = decided(store, run)
    assert not decision.promoted
    why = "too few held-out rows: 19 rows, at least 20 needed; no alias is moved"
    assert decision.line == f"two of {run} does not become the champion: {why}"
    assert named(store, "champion") == named(store, "challenger") == []


def test_the_run_records_the_comparison_once(store: Store, recipe: Recipe, complete: Complete) -> None:
    run = complete(recipe)
    for _ in range(2):
        decided(store, run)
    noted = [each["fingerprint"] for each in present(store.read_run(run))["artifacts"] if each["stage"] == "compare"]
    assert noted == [compare(store, run).fingerprint]
    assert present(store.read_run(run))["state"] == "completed"


class TestSecondRound:
    @pytest.fixture
    def first(self, store: Store, recipe: Recipe, complete: Complete) -> str:
        run = complete(recipe, one="fair", two="bad")
        decided(store, run)
        return run

    def test_a_better_challenger_becomes_the_champion(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(following(recipe, store), one="bad", two="good")
        compared = compare(store, run)
        decision = decide(store, run, compared)
        assert (decision.comparison.outcome, decision.promoted) == ("better", True)
        assert present(present(decision.comparison.difference).high) < 0
        assert "lower than the champion's: \N{MINUS SIGN}" in decision.line
        assert named(store, "champion") == [(first, "one"), (run, "two")]
        assert named(store, "challenger") == [(first, "one"), (run, "two")]
        assert present(decision.champion).run == first

    def test_a_challenger_that_is_no_better_does_not(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(following(recipe, store), one="fair", two="bad")
        compared = compare(store, run)
        decision = decide(store, run, compared)
        # The very same weights: no difference at all.
        assert (decision.comparison.outcome, present(decision.comparison.difference).high) == ("not_better", 0)
        assert decision.line.startswith(
            f"one of {first} stays the champion: the challenger's held-out loss is not shown"
        )
        assert named(store, "champion") == [(first, "one")]
        assert named(store, "challenger") == [(first, "one"), (run, "one")]

    def test_both_are_measured_on_the_new_rounds_held_out_rows(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        second = following(recipe, store)
        run = complete(second, one="bad", two="good", really=True)
        compared = compare(store, run)
        wanted = planned(second)
        split = present(store.find("split", wanted.one("split").fingerprint))
        rows = parquet.read(store.fetch(split, "validation.parquet"))
        losses = parquet.read(store.fetch(compared, "losses.parquet")).to_pylist()
        assert [row["row_id"] for row in losses] == rows["row_id"].to_pylist() * 2
        assert [row["subject"] for row in losses] == ["challenger"] * rows.num_rows + ["champion"] * rows.num_rows
        # The evaluator is the one that scored the run's adapters.
        evaluation = present(store.find("evaluate", wanted.one("evaluate").fingerprint))
        evaluated = Evaluated.read(evaluation).subjects["two"]
        measured = Compared.read(compared)
        assert measured.challenger.model_dump() == pytest.approx(evaluated.model_dump())
        losses_apart = present(measured.challenger.loss) - present(present(measured.champion).loss)
        assert present(measured.difference).difference == pytest.approx(losses_apart)
        assert present(measured.overlap).near_overlap == 0

    def test_deciding_again_moves_nothing_even_after_a_rollback(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(following(recipe, store), one="bad", two="good")
        once = decided(store, run)
        assert decided(store, run) == once
        assert len(named(store, "champion")) == len(named(store, "challenger")) == 2
        aliases.rollback(store, "champion")
        again = decided(store, run)
        assert (again.promoted, again.line) == (once.promoted, once.line)
        assert named(store, "champion") == [(first, "one"), (run, "two"), (first, "one")]
        assert len(named(store, "challenger")) == 2

    def test_an_interrupted_decision_is_completed(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(following(recipe, store), one="bad", two="good")
        compared, sides = compare(store, run), contest(store, run)
        aliases.point(store, "champion", run=run, adapter="two", fingerprint=sides.fingerprint, why="interrupted")
        decision = decide(store, run, compared)
        assert (decision.promoted, present(decision.champion).run) == (True, first)
        assert named(store, "champion") == [(first, "one"), (run, "two")]
        assert named(store, "challenger") == [(first, "one"), (run, "two")]

    def test_a_champion_changed_meanwhile_is_an_error(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(following(recipe, store), one="bad", two="good")
        compared = compare(store, run)
        fingerprint = planned(recipe).one("train", "two").fingerprint
        aliases.point(store, "champion", run=first, adapter="two", fingerprint=fingerprint, why="by hand")
        with pytest.raises(StageError, match="the champion was changed during the comparison; run the regeneration"):
            decide(store, run, compared)
        assert len(named(store, "challenger")) == 1

    def test_the_champion_itself_in_another_run_is_not_promoted(
        self, store: Store, recipe: Recipe, complete: Complete, first: str
    ) -> None:
        run = complete(recipe, one="fair", two="bad", name="again")
        decision = decided(store, run)
        assert (decision.promoted, decision.comparison.outcome) == (False, "itself")
        assert decision.line == "one of again stays the champion: the challenger is the champion itself"
        assert named(store, "champion") == [(first, "one")]


def test_an_adapter_of_another_student_is_not_compared(
    store: Store, recipe: Recipe, complete: Complete, tmp_path: Path
) -> None:
    first = complete(recipe, one="bad")
    decided(store, first)
    other = make_tiny_model(tmp_path / "other", seed=1)
    run = complete(loading.parse(RECIPE.format(model=other)), one="good")
    decision = decided(store, run)
    assert not decision.promoted
    assert "the champion is an adapter of another student, folder " in decision.line
    assert named(store, "champion") == [(first, "one")]
    assert named(store, "challenger") == [(first, "one"), (run, "one")]


def test_a_champion_that_was_trained_on_held_out_rows_is_not_measured_on_them(
    store: Store, recipe: Recipe, complete: Complete
) -> None:
    # With a smaller validation set, it was trained on rows that the other split holds out.
    first = complete(loading.parse(loading.text(recipe), ["split.validation=0.15"]), one="bad")
    decided(store, first)
    run = complete(recipe, one="good")
    compared = compare(store, run)
    decision = decide(store, run, compared)
    assert (decision.comparison.outcome, decision.promoted) == ("leak", False)
    assert present(decision.comparison.overlap).exact_overlap > 0
    assert "are equal or similar to the champion's training data, such as 42-" in decision.line
    assert [file.name for file in compared.files] == ["verdict.txt"]


def test_nor_is_one_that_was_chosen_by_held_out_rows(store: Store, recipe: Recipe, complete: Complete) -> None:
    # Its tuning rows lie where the other split holds rows out, and its training rows do not.
    tuned = loading.parse(loading.text(recipe), ["split.validation=0.1", "split.tuning=0.2"])
    decided(store, complete(tuned, one="bad"))
    compared = Compared.read(compare(store, complete(recipe, one="good")))
    assert compared.outcome == "leak"
    split = present(store.find("split", planned(tuned).one("split").fingerprint))
    tuning = parquet.read(store.fetch(split, "tuning.parquet"))["row_id"].to_pylist()
    assert present(compared.overlap).exact_overlap == len(tuning) > 0


def test_a_champion_that_is_missing_in_the_store_is_named(
    store: Store, recipe: Recipe, complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(store, complete(recipe))
    lost = replace(present(aliases.current(store, "champion")), fingerprint="0" * 64)
    run = complete(following(recipe, store))
    monkeypatch.setattr(aliases, "history", lambda *_: [lost])
    with pytest.raises(
        InputError, match=r"the adapter one of small-.* is no longer in .*; point the alias at another adapter"
    ):
        compare(store, run)
