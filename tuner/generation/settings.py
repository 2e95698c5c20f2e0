"""The recipe's section on where rows come from, and how many."""

import math
from contextlib import suppress
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, model_validator

from tuner.generation.shards import DEFAULT, shard_sizes
from tuner.generation.sources import AnySource, Magpie, Refine
from tuner.reading.settings import Existing, Rows
from tuner.section import Section, added_field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

MAX_SHARDS = 5_000
"""The limit for all rounds together. Each shard is a Prefect task, and a plan of this many takes a second."""


_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9}


def _counted(given: Any) -> Any:
    """`30M` as 30,000,000."""
    if isinstance(given, str) and given[-1:] in _SUFFIXES:
        with suppress(ValueError):
            return round(float(given[:-1]) * _SUFFIXES[given[-1]])
    return given


Count = Annotated[int, BeforeValidator(_counted), Field(ge=1)]


class Limits(Section):
    """What a run may draw at most for its target; null for no limit. They decide when it ends, and no row.

    Attributes:
        rows: Rows.
        tokens: Tokens, also as `30M`.
        minutes: Minutes of drawing, summed over all shards.
        cost: Money, by the prices in `TUNER_PRICE_HOUR` and `TUNER_PRICE_MILLION_TOKENS`.
    """

    rows: Count | None = None
    tokens: Count | None = None
    minutes: float | None = Field(default=None, gt=0)
    cost: float | None = Field(default=None, gt=0)


class Batch(Section):
    """A shard that a run with a target has decided to draw.

    Attributes:
        rows: Its rows.
        weights: Weights of the source's system prompts in it, instead of their own; empty for their own.
    """

    rows: int = Field(ge=1)
    weights: tuple[Annotated[float, Field(ge=0)], ...] = ()


class Generation(Section):
    """Where rows come from. The settings of a single source may stand here directly, without `sources`.

    Attributes:
        rows: Rows in each round, of all sources together; by default each source says how many it gives.
        kept: Instead of `rows`: shards are drawn until so many rows are kept after curation.
        at_most: What a run may draw for that.
        drawn: The shards that the run has decided to draw for that, by source. The program fills it in.
        rounds: Number of rounds. The first uses the recipe's seed, each later one the next number. Rows that exist
            already are read in the first alone.
        shard_rows: Rows in a shard, the unit that is drawn, cached and retried.
        sources: The sources by name.
    """

    rows: int | None = Field(default=None, ge=1, le=100_000_000)
    kept: Count | None = added_field(None)
    at_most: Limits = added_field(Limits())
    drawn: dict[Name, tuple[Batch, ...]] = added_field({})
    rounds: int = added_field(1, ge=1, le=500)
    shard_rows: int = Field(default=100, ge=1, le=100_000)
    sources: dict[Name, AnySource] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _name_the_single_source(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "sources" in data:
            return cast(Any, data)
        given = cast(dict[str, Any], data)
        own = {key: value for key, value in given.items() if key in cls.model_fields}
        source = {"source": DEFAULT, **{key: value for key, value in given.items() if key not in cls.model_fields}}
        return {**own, "sources": {source["source"]: source}}

    @model_validator(mode="after")
    def _refined_sources_stand_above(self) -> "Generation":
        above: list[str] = []
        refined: list[str] = []
        for name, source in self.sources.items():
            if isinstance(source, Refine):
                if source.of not in above:
                    raise ValueError(f"sources.{name}.of: no source {source.of!r} stands above this one")
                if source.of in refined:
                    raise ValueError(f"sources.{name}.of: {source.of!r} is refined by another source already")
                refined.append(source.of)
            above.append(name)
        return self

    @model_validator(mode="after")
    def _rows_are_known(self) -> "Generation":
        if self.kept is None and self.at_most != Limits():
            raise ValueError("at_most: limits what is drawn for `kept`, which is not given")
        if self.kept is not None:
            self._check_target()
        for name, source in self.sources.items():
            if self.kept is not None and name not in self.drafts:
                if source.rows is not None and not isinstance(source, Rows):
                    raise ValueError(f"sources.{name}.rows: `kept` decides how many are drawn; leave it out")
            elif name in self.drafts:
                if source.rows is not None:
                    raise ValueError(f"sources.{name}.rows: it gives as many as are refined; leave it out")
            elif self.rows is not None and source.rows is not None:
                raise ValueError(f"sources.{name}.rows: generation.rows is given too; set one, or share here")
            elif self.rows is None and source.rows is None and not isinstance(source, Existing):
                where = "" if len(self.sources) == 1 else f"sources.{name}."
                raise ValueError(f"{where}rows: is missing; how many rows are to be drawn?")
        return self

    def _check_target(self) -> None:
        if self.rows is not None:
            raise ValueError("rows: `kept` is given too; set one")
        if self.rounds > 1:
            raise ValueError("rounds: a target has one round; set rows instead of kept")
        if not self.drawing:
            raise ValueError("kept: none of the sources draws rows; leave it out to take all that there are")

    @model_validator(mode="after")
    def _shards_can_be_named(self) -> "Generation":
        drawn = self.rows or self.kept or sum(source.rows or 0 for source in self.sources.values())
        shards = -(-drawn // self.shard_rows) * self.rounds
        # Every round is matched with all earlier ones, so the size of a plan grows with shards times rounds.
        if shards > MAX_SHARDS or shards * self.rounds > 100 * MAX_SHARDS:
            rounds = f" in each of {self.rounds:,} rounds" if self.rounds > 1 else ""
            raise ValueError(
                f"{drawn:,} rows{rounds} are {shards:,} shards of {self.shard_rows:,}, too many to plan; "
                "raise shard_rows"
            )
        return self

    def pinned(self) -> "Generation":
        """The same with the contents of all files and data sets looked at, so that the plan follows from it alone.

        Raises:
            InputError: If one does not exist or cannot be read.
        """
        if not any(isinstance(source, Existing) for source in self.sources.values()):
            return self
        from tuner.reading.contents import pinned

        sources = {
            name: pinned(source, f"generation.sources.{name}") if isinstance(source, Existing) else source
            for name, source in self.sources.items()
        }
        return self.model_copy(update={"sources": sources})

    @property
    def magpie(self) -> tuple[str, Magpie] | None:
        """The first source that draws out of nothing, with its name; None if there is none."""
        return next(((name, each) for name, each in self.sources.items() if isinstance(each, Magpie)), None)

    @property
    def asked(self) -> "Generation":
        """The same as it was asked for: without what the program decided, and without limits."""
        return self.model_copy(update={"drawn": {}, "at_most": Limits()})

    @property
    def drafts(self) -> dict[str, str]:
        """The sources that others refine, with the name of the one that does; their own rows are not curated."""
        return {source.of: name for name, source in self.sources.items() if isinstance(source, Refine)}

    @property
    def drawing(self) -> dict[str, float]:
        """The sources that draw rows for a target, with their shares; those that others refine are not among them."""
        return {
            name: source.share
            for name, source in self.sources.items()
            if name not in self.drafts and not isinstance(source, Rows)
        }

    def batches(self, source: str) -> tuple[Batch, ...]:
        """The shards of a source in a round.

        A run with a target has decided on them; before it has begun it is one for each source.
        """
        if self.kept is None:
            return tuple(Batch(rows=rows) for rows in shard_sizes(self.amounts[source], self.shard_rows))
        source = self.drafts.get(source, source)
        if self.drawn:
            return self.drawn.get(source, ())
        wanted = math.ceil(self.kept * self.sources[source].share / sum(self.drawing.values()))
        held = self.held(source)
        return (Batch(rows=min(self.shard_rows, wanted, wanted if held is None else held)),)

    @property
    def amounts(self) -> dict[str, int]:
        """The rows of each source in a round, by name; a source of existing rows is in the first round alone.

        With `rows`, each source has its share of them, rounded so that the sum is right; of existing rows and texts no
        more than there are.
        """
        drafts = self.drafts
        entering = {name: source for name, source in self.sources.items() if name not in drafts}
        amounts: dict[str, int] = {}
        left, shares = self.rows or 0, sum(source.share for source in entering.values())
        for name, source in entering.items():
            if self.kept is not None and name in self.drawing:
                wanted = sum(batch.rows for batch in self.batches(name))
            elif self.rows is not None:
                wanted = round(left * source.share / shares)
                left, shares = left - wanted, shares - source.share
            else:
                wanted = source.rows
            amounts[name] = min(each for each in (wanted, self.held(name)) if each is not None)
        for draft, refiner in reversed(drafts.items()):
            amounts[draft] = amounts[refiner]
        return amounts

    def chain(self, name: str) -> list[str]:
        """A source, and those that it refines one after another."""
        source = self.sources[name]
        return [name, *(self.chain(source.of) if isinstance(source, Refine) else ())]

    def held(self, name: str) -> int | None:
        """How many rows a source can give at most: what it, or what it refines, holds; None if it just draws."""
        chain = [self.sources[each] for each in self.chain(name)]
        return min((each.contents.rows for each in chain if isinstance(each, Existing) and each.contents), default=None)
