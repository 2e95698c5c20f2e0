"""A run with a target draws shard after shard until so many rows are kept, a limit is reached or nothing is left."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.hollow import hollow
from tuner import loading, runs, target
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.curation.metrics import Curated
from tuner.curation.stages import drawn
from tuner.errors import InputError
from tuner.generation.metrics import Generated
from tuner.recipe import Recipe
from tuner.registry import planned, run_name
from tuner.runs import Run

NEVER = "9999"
"""A time from which on nothing was drawn."""


def recipe(generation: str, *overrides: str) -> Recipe:
    text = (
        "name: wanted\nmodels: {generator: owner/chat, student: owner/base}\n"
        f"generation: {generation}\ntraining: {{lora: {{method: lora}}}}\n"
    )
    return loading.parse(text, overrides)


class World:
    """A store in which rows are drawn and curated by dice, without a model.

    Args:
        folder: The store.
        rates: The share of rows that are kept, by source or by category.
        seed: Of the dice.
    """

    def __init__(self, folder: Path, rates: dict[str, float], seed: int = 0) -> None:
        self.store = Store(str(folder))
        self._rates, self._seed = rates, seed

    def advance(self, found: Recipe) -> None:
        """Makes what the recipe plans up to `curate`."""
        for part in planned(found).of("generate"):
            self.store.build(part, lambda _, part=part: self._drawn(part.subject.rows))
        (curated,) = planned(found).of("curate")
        self.store.build(curated, lambda folder: self._curated(found, folder))

    def run(self, found: Recipe, since: str = "") -> tuple[Recipe, target.Progress, list[int]]:
        """Goes on to the end; the rows after each step are returned too."""
        steps: list[int] = []
        while True:
            self.advance(found)
            steps.append(sum(found.generation.amounts.values()))
            progressed = target.progress(found, self.store, since)
            if progressed.next is None:
                return found, progressed, steps
            found = progressed.next

    def needed(self, found: Recipe, kept: int) -> int:
        """The fewest rows, in the order in which they were drawn, among which so many are kept."""
        verdicts = [verdict for _, _, verdict in self._rows(found)]
        places = [at for at, verdict in enumerate(verdicts, 1) if verdict == "kept"]
        return places[kept - 1]

    def _drawn(self, rows: int) -> dict[str, Any]:
        metrics = hollow(Generated, rows=rows, tokens=100 * rows, seconds=6.0 * rows)
        return metrics.model_dump(mode="json")

    def _rows(self, found: Recipe) -> list[tuple[str, str, str]]:
        rows: list[tuple[str, str, str]] = []
        for _, shard in drawn(planned(found)):
            systems = found.generation.sources[shard.source].model_dump().get("system") or [{"category": ""}]
            weights: Any = [*shard.weights] or [system.get("weight", 1.0) for system in systems]
            for index in range(shard.rows):
                dice = random.Random(f"{self._seed} {shard.source} {shard.number} {index}")
                category = dice.choices(systems, weights)[0]["category"]
                rate = self._rates.get(category, self._rates.get(shard.source, 0.0))
                rows.append((shard.source, category, "kept" if dice.random() < rate else "rejected"))
        return rows

    def _curated(self, found: Recipe, folder: Path) -> dict[str, Any]:
        columns = list(zip(*self._rows(found), strict=True))
        names = ("source", "category", "verdict")
        parquet.write(
            pa.table({name: pa.array(column) for name, column in zip(names, columns, strict=True)}),
            folder / "rows" / "00000.parquet",
        )
        return hollow(Curated).model_dump(mode="json")


@pytest.mark.parametrize("rate", [0.15, 0.5, 0.72, 0.95])
def test_the_target_is_reached_with_few_rows_more_than_it_needs(tmp_path: Path, rate: float) -> None:
    surplus: list[float] = []
    for seed in range(12):
        world = World(tmp_path / str(seed), {"magpie": rate}, seed)
        found, progressed, _ = world.run(recipe("{kept: 200, shard_rows: 50}"))
        assert progressed.kept >= 200 and not progressed.limit
        surplus.append(sum(found.generation.amounts.values()) / world.needed(found, 200) - 1)
    assert sum(surplus) / len(surplus) <= 0.05
    assert max(surplus) <= 0.12


def test_no_shard_is_drawn_again_and_the_next_are_decided_by_what_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, {"magpie": 0.5})
    found = recipe("{kept: 200, shard_rows: 50}")
    before: list[str] = []
    while True:
        world.advance(found)
        now = [part.fingerprint for part in planned(found).of("generate")]
        assert now[: len(before)] == before
        before = now
        progressed = target.progress(found, world.store, "")
        if progressed.next is None:
            break
        found = progressed.next
    assert [batch.rows for batch in found.generation.batches("magpie")][:4] == [50, 50, 50, 50]


def test_sources_have_their_shares_of_the_kept_rows(tmp_path: Path) -> None:
    sources = "{a: {source: magpie, share: 3}, b: {source: magpie}}"
    world = World(tmp_path, {"a": 0.9, "b": 0.2})
    found, progressed, _ = world.run(recipe(f"{{kept: 200, shard_rows: 50, sources: {sources}}}"))
    assert progressed.kept >= 200
    kept = {"a": 0, "b": 0}
    for source, _, verdict in world._rows(found):
        kept[source] += verdict == "kept"
    assert abs(kept["a"] - 150) <= 12 and abs(kept["b"] - 50) <= 12


def test_thin_categories_are_topped_up(tmp_path: Path) -> None:
    systems = "[{prompt: x, category: code}, {prompt: y, category: chat}]"
    world = World(tmp_path, {"code": 0.2, "chat": 0.9})
    found, _, _ = world.run(recipe(f"{{kept: 200, shard_rows: 50, system: {systems}}}"))
    kept = {"code": 0, "chat": 0}
    for _, category, verdict in world._rows(found):
        kept[category] += verdict == "kept"
    assert abs(kept["code"] - 100) <= 12 and abs(kept["chat"] - 100) <= 12


def test_rows_that_are_called_by_their_topics_are_no_thin_category(tmp_path: Path) -> None:
    systems = "[{prompt: 'On {topic}.', topics: [bread, rain]}, {prompt: y, category: chat}]"
    found, _, _ = World(tmp_path, {"": 0.5, "chat": 0.9}).run(
        recipe(f"{{kept: 90, shard_rows: 30, system: {systems}}}")
    )
    assert not any(batch.weights for batch in found.generation.batches("magpie"))


@pytest.mark.parametrize(
    ("limit", "rows"), [("rows: 120", 120), ("tokens: 12k", 120), ("minutes: 12", 120), ("cost: 2.4", 120)]
)
def test_a_run_ends_at_its_limit_and_the_next_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, rows: int
) -> None:
    monkeypatch.setenv("TUNER_PRICE_HOUR", "6")
    monkeypatch.setenv("TUNER_PRICE_MILLION_TOKENS", "100")
    target.settings.cache_clear()
    world = World(tmp_path, {"magpie": 0.5})
    asked = recipe(f"{{kept: 200, shard_rows: 50, at_most: {{{limit}}}}}")
    found, progressed, _ = world.run(asked)
    assert progressed.spent.rows == sum(found.generation.amounts.values()) == rows
    assert progressed.limit.startswith("at_most.")
    assert f"ended by at_most.{limit.partition(':')[0]}" in progressed.line and "run it again" in progressed.line
    # Of what was drawn before a run begins nothing counts towards its limits.
    further = target.progress(found, world.store, NEVER)
    assert further.next is not None and further.spent.rows == 0


def test_a_source_that_has_no_more_ends_the_run(tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n\n".join(f"Text {at}: bread rises since yeast makes gas." for at in range(30)))
    found = recipe(f"{{kept: 200, shard_rows: 20, source: documents, path: {texts}, words: [3, 8]}}")
    found, progressed, _ = World(tmp_path / "store", {"documents": 0.9}).run(found)
    assert sum(found.generation.amounts.values()) == 30
    assert progressed.kept < 200 and progressed.limit == "what the sources hold"


class TestExpected:
    """The plan says what is expected to be drawn still, with its interval."""

    def test_before_the_first_rows_are_curated_it_is_not_known(self, tmp_path: Path) -> None:
        expected = target.expected(recipe("{kept: 200}"), Store(str(tmp_path)))
        assert expected is not None and expected.rows is None
        assert expected.line.startswith("200 rows are to be kept; how many that takes is known after")
        assert target.expected(recipe("{rows: 200}"), Store(str(tmp_path))) is None

    def test_the_interval_covers_what_it_takes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUNER_PRICE_HOUR", "6")
        target.settings.cache_clear()
        covered = 0
        for seed in range(40):
            world = World(tmp_path / str(seed), {"magpie": 0.5}, seed)
            first = recipe("{kept: 200, shard_rows: 100}")
            world.advance(first)
            expected = target.expected(first, world.store)
            assert expected is not None and expected.rows and expected.tokens and expected.minutes and expected.cost
            low, high = expected.rows
            assert expected.tokens == (100 * low, 100 * high)
            assert expected.minutes == pytest.approx((low / 10, high / 10))
            assert expected.cost == pytest.approx((low / 100, high / 100))
            found, _, _ = world.run(first)
            covered += low <= world.needed(found, 200) - 100 <= high
        # The rows to come are as uncertain as those that were seen, which the interval of the rate leaves out.
        assert covered >= 30


class TestRuns:
    """A run keeps what was decided in its record, so that the same recipe goes on from there."""

    def test_its_name_hangs_on_what_is_asked_for(self) -> None:
        asked = recipe("{kept: 200}")
        limited = recipe("{kept: 200, at_most: {rows: 300}}")
        assert run_name(asked) == run_name(limited) != run_name(recipe("{kept: 300}"))

    def test_the_same_recipe_goes_on_where_it_was(self, tmp_path: Path) -> None:
        world = World(tmp_path, {"magpie": 0.5})
        asked = recipe("{kept: 200, shard_rows: 50, at_most: {rows: 120}}")
        run = Run.start(world.store, asked, None, "report")
        found, _, _ = world.run(asked)
        run.decide(found)
        run.end("completed")
        again = recipe("{kept: 200, shard_rows: 50}")
        assert runs.continued(world.store, again, None).generation.batches("magpie") == found.generation.drawn["magpie"]
        assert Run.start(world.store, again, None, "report").recipe.generation.drawn == found.generation.drawn
        assert runs.continued(world.store, recipe("{kept: 201}"), None).generation.drawn == {}

    def test_attempts_of_a_run_share_its_limits_until_it_completes(self, tmp_path: Path) -> None:
        store, asked = Store(str(tmp_path)), recipe("{kept: 200}")
        first = Run.start(store, asked, None, "report")
        first.record["since"] = "2026-01-01T00:00:00+00:00"
        first.end("interrupted")
        again = Run.start(store, asked, None, "report")
        assert again.record["since"] == "2026-01-01T00:00:00+00:00"
        again.end("completed")
        assert Run.start(store, asked, None, "report").record["since"] > "2026-01-02"


@pytest.mark.parametrize(
    ("generation", "line"),
    [
        ("{kept: 5, rows: 5}", "generation: rows: `kept` is given too; set one"),
        ("{kept: 5, rounds: 2}", "generation: rounds: a target has one round"),
        ("{rows: 5, at_most: {rows: 9}}", "generation: at_most: limits what is drawn for `kept`, which is not given"),
        ("{kept: 5, at_most: {rowz: 9}}", "generation.at_most.rowz: unknown key; did you mean 'rows'?"),
        ("{kept: 5, at_most: {tokens: many}}", "generation.at_most.tokens: Input should be a valid integer"),
        (
            "{kept: 5, sources: {a: {source: magpie, rows: 3}}}",
            "generation: sources.a.rows: `kept` decides how many are drawn; leave it out",
        ),
    ],
)
def test_a_mistake_is_named(generation: str, line: str) -> None:
    with pytest.raises(InputError) as caught:
        recipe(generation)
    assert line in str(caught.value)
