"""How many rows are drawn for a target: shard after shard, until so many are kept or a limit is reached."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.names import now
from tuner.artifacts.store import Store
from tuner.generation.metrics import Generated
from tuner.generation.settings import Batch, Generation
from tuner.generation.sources import Magpie
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned
from tuner.settings import settings
from tuner.shares import Share
from tuner.stage import require_artifact

STAGE = "curate"
"""The stage after which it is known how many rows are kept."""

CAUTION = 0.9
"""The part of the rows that seem to be needed still which is drawn in whole shards; the rest when more is known."""

FEWEST = 4
"""The fewest rows that are drawn at once."""


def reaches(until: str) -> bool:
    """Whether a run up to this stage learns how many rows are kept."""
    return NAMES.index(until) >= NAMES.index(STAGE)


def is_open(recipe: Recipe, store: Store, until: str) -> bool:
    """Whether a run whose rows are curated has more to draw for its target.

    Args:
        recipe: The recipe, with what was decided so far.
        store: The store of its artifacts.
        until: The last stage of the run.
    """
    wanted = recipe.generation.kept is not None and reaches(until)
    return wanted and progress(recipe, store, now()).next is not None


@dataclass(frozen=True)
class Expected:
    """What is expected to be drawn still, as 95 % intervals.

    Attributes:
        kept: Rows that are kept so far; None before the first are curated.
        target: Rows that were asked for.
        rows: Rows to be drawn still, from the fewest to the most; None before the first are curated.
        tokens: Tokens likewise.
        minutes: Minutes of drawing likewise.
        cost: Money likewise; None without prices.
    """

    kept: int | None
    target: int
    rows: tuple[int, int] | None = None
    tokens: tuple[int, int] | None = None
    minutes: tuple[float, float] | None = None
    cost: tuple[float, float] | None = None

    @property
    def line(self) -> str:
        """In words."""
        if self.kept is None:
            return f"{self.target:,} rows are to be kept; how many that takes is known after the first are curated"
        if not (self.rows and self.tokens and self.minutes):
            return f"{self.kept:,} of {self.target:,} rows are kept"
        money = f", {self.cost[0]:,.2f} to {self.cost[1]:,.2f} of money" if self.cost else ""
        return (
            f"{self.kept:,} of {self.target:,} rows are kept; the rest is expected to take {self.rows[0]:,} to "
            f"{self.rows[1]:,} rows, {self.tokens[0]:,} to {self.tokens[1]:,} tokens, {self.minutes[0]:,.1f} to "
            f"{self.minutes[1]:,.1f} minutes{money} (95 % interval)"
        )


def expected(recipe: Recipe, store: Store) -> Expected | None:
    """What a recipe with a target is expected to draw still; None if it has none.

    Raises:
        DamagedArtifactError: If an artifact is damaged.
    """
    target = recipe.generation.kept
    if target is None:
        return None
    if store.find(STAGE, planned(recipe).one(STAGE).fingerprint) is None:
        return Expected(None, target)
    counts = _counts(recipe, store)
    kept = sum(each.kept for each in counts.values())
    new = [each for (source, _), each in counts.items() if source in recipe.generation.drawing]
    low, high = Share(sum(each.kept for each in new), sum(each.drawn for each in new)).interval
    if kept >= target or not low:
        return Expected(kept, target)
    every = _sum(_drawn(recipe, store))
    rows = math.ceil((target - kept) / high), math.ceil((target - kept) / low)
    per_row = [each / max(1, every.rows) for each in (every.tokens, every.minutes, every.cost)]
    tokens, minutes, cost = ((rows[0] * each, rows[1] * each) for each in per_row)
    return Expected(kept, target, rows, (round(tokens[0]), round(tokens[1])), minutes, cost if any(cost) else None)


@dataclass(frozen=True)
class Counts:
    """Rows of a source, or of a category of one.

    Attributes:
        drawn: Rows that were curated.
        kept: Those of them that were kept.
    """

    drawn: int
    kept: int

    @property
    def rate(self) -> float:
        """The share that is kept, with one row more of either kind, so that it is never 0 or 1."""
        return (self.kept + 1) / (self.drawn + 2)


@dataclass(frozen=True)
class Spent:
    """What was drawn.

    Attributes:
        rows: Rows.
        tokens: Tokens.
        minutes: Minutes of drawing.
    """

    rows: int = 0
    tokens: int = 0
    minutes: float = 0.0

    @property
    def cost(self) -> float:
        """Money, by the prices of the settings."""
        prices = settings()
        return self.minutes / 60 * prices.price_hour + self.tokens / 1e6 * prices.price_million_tokens


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        kept: Rows that are kept.
        target: Rows that were asked for.
        spent: What this run has drawn.
        next: The recipe with the shards that are to be drawn next; None if it ends here.
        limit: The limit that ends it before the target, such as `at_most.tokens: 30,000,000`; empty if none does.
    """

    kept: int
    target: int
    spent: Spent
    next: Recipe | None
    limit: str = ""

    @property
    def line(self) -> str:
        """Where it stands, in words."""
        drawn = f"{self.spent.rows:,} rows, {self.spent.tokens:,} tokens and {self.spent.minutes:,.1f} minutes drawn"
        money = f" for {self.spent.cost:,.2f}" if self.spent.cost else ""
        so_far = f"{self.kept:,} of {self.target:,} rows kept; {drawn} by this run{money}"
        return f"{so_far}; ended by {self.limit}; run it again to go on" if self.limit else so_far


def progress(recipe: Recipe, store: Store, since: str) -> Progress:
    """How far a run is whose rows, as decided so far, are curated.

    Args:
        recipe: The recipe, with what was decided so far.
        store: The store of its artifacts.
        since: What was drawn from this time on counts towards the limits, ISO 8601 in UTC.

    Raises:
        StageError: If the rows are not curated yet.
        DamagedArtifactError: If an artifact is damaged.
    """
    generation = recipe.generation
    assert generation.kept is not None
    counts = _counts(recipe, store)
    kept = sum(each.kept for each in counts.values())
    drawn = _drawn(recipe, store)
    spent = _sum([manifest for manifest in drawn if manifest.provenance["started"] >= since])
    if kept >= generation.kept:
        return Progress(kept, generation.kept, spent, None)
    left, limit = _affordable(generation, spent, drawn)
    batches = {source: [*generation.batches(source)] for source in generation.drawing}
    added = False
    for source, batch in _wanted(recipe, counts, generation.kept - kept):
        rows = min(batch.rows, left)
        if rows >= 1:
            batches[source].append(batch.model_copy(update={"rows": rows}))
            left, added = left - rows, True
    if not added:
        held = "" if limit else "what the sources hold"
        return Progress(kept, generation.kept, spent, None, limit or held)
    decided = {source: tuple(each) for source, each in batches.items()}
    following = generation.model_copy(update={"drawn": decided})
    return Progress(kept, generation.kept, spent, recipe.model_copy(update={"generation": following}))


def _wanted(recipe: Recipe, counts: dict[tuple[str, str], Counts], missing: int) -> list[tuple[str, Batch]]:
    """The shards that are to be drawn next, by source: those that lag behind their share get more."""
    generation = recipe.generation
    target = generation.kept or 0
    shares = generation.drawing
    by_source = {
        source: Counts(
            sum(each.drawn for (name, _), each in counts.items() if name == source),
            sum(each.kept for (name, _), each in counts.items() if name == source),
        )
        for source in shares
    }
    others = sum(each.kept for (name, _), each in counts.items() if name not in shares)
    lacking = {
        source: max(0.0, (target - others) * share / sum(shares.values()) - by_source[source].kept)
        for source, share in shares.items()
    }
    scale = missing / (sum(lacking.values()) or 1.0)
    found: list[tuple[str, Batch]] = []
    for source, rows_lacking in lacking.items():
        needed = rows_lacking * scale / by_source[source].rate
        held = _left(generation, source)
        weights = _weights(recipe, source, counts, by_source[source].kept + rows_lacking * scale)
        for rows in _shards(needed, generation.shard_rows):
            taken = rows if held is None else min(rows, held)
            held = None if held is None else held - taken
            if taken:
                found.append((source, Batch(rows=taken, weights=weights)))
    return found


def _shards(needed: float, size: int) -> list[int]:
    """Whole shards for the most part of what is needed, or one small shard for the last of it."""
    if needed <= 0:
        return []
    if needed <= size:
        return [max(FEWEST, math.ceil(needed))]
    return [size] * max(1, int(CAUTION * needed / size))


def _left(generation: Generation, source: str) -> int | None:
    """How many more rows a source can give; None if there is no end."""
    held = generation.held(source)
    return None if held is None else max(0, held - generation.amounts[source])


def _weights(recipe: Recipe, source: str, counts: dict[tuple[str, str], Counts], target: float) -> tuple[float, ...]:
    """Weights of a source's system prompts by which its thin categories are topped up; empty if all are even."""
    found = recipe.generation.sources[source]
    if not isinstance(found, Magpie) or len({system.category for system in found.system}) < 2:
        return ()
    if any(system.topics and not system.category for system in found.system):
        return ()  # their rows have the topic as category, so that none is counted for them
    total = sum(system.weight for system in found.system)
    weight_of: dict[str, float] = {}
    for system in found.system:
        weight_of[system.category] = weight_of.get(system.category, 0.0) + system.weight
    rows: dict[str, float] = {}
    for category, weight in weight_of.items():
        here = counts.get((source, category), Counts(0, 0))
        rows[category] = max(0.0, target * weight / total - here.kept) / here.rate
    whole = sum(rows.values())
    if not whole:
        return ()
    return tuple(
        round(rows[system.category] / whole * system.weight / weight_of[system.category], 3) for system in found.system
    )


def _affordable(generation: Generation, spent: Spent, drawn: Sequence[Manifest]) -> tuple[int, str]:
    """How many more rows fit into the limits, and the limit that allows the fewest."""
    every = _sum(drawn)
    rows = max(1, every.rows)
    limits = generation.at_most
    left: list[tuple[float, str]] = [(math.inf, "")]
    for name, limit, used, each in (
        ("rows", limits.rows, spent.rows, 1.0),
        ("tokens", limits.tokens, spent.tokens, every.tokens / rows),
        ("minutes", limits.minutes, spent.minutes, every.minutes / rows),
        ("cost", limits.cost, spent.cost, every.cost / rows),
    ):
        if limit is not None:
            affordable = (limit - used) / each if each else math.inf
            left.append((max(0.0, affordable), f"at_most.{name}: {limit:,}"))
    fewest, name = min(left)
    return (10**9 if math.isinf(fewest) else int(fewest)), name


def _counts(recipe: Recipe, store: Store) -> dict[tuple[str, str], Counts]:
    """Curated rows by source and category."""
    import polars as pl

    manifest = require_artifact(store, planned(recipe).one("curate"))
    frame = pl.scan_parquet(store.fetch_all(manifest, "rows"), glob=False).select("source", "category", "verdict")
    grouped = (
        frame.group_by("source", pl.col("category").fill_null(""))
        .agg(pl.len().alias("drawn"), (pl.col("verdict") == "kept").sum().alias("kept"))
        .sort("source", "category")
        .collect()
    )
    return {(source, category): Counts(drawn, kept) for source, category, drawn, kept in grouped.iter_rows()}


def _drawn(recipe: Recipe, store: Store) -> list[Manifest]:
    return [
        manifest
        for part in planned(recipe).of("generate")
        if (manifest := store.find(part.stage, part.fingerprint)) is not None
    ]


def _sum(manifests: Sequence[Manifest]) -> Spent:
    metrics = [Generated.read(manifest) for manifest in manifests]
    return Spent(
        rows=sum(each.rows for each in metrics),
        tokens=sum(each.tokens for each in metrics),
        minutes=sum(each.seconds for each in metrics) / 60,
    )
