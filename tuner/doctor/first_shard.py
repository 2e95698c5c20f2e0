"""Stops a run whose first shard is bad, since its other shards would be alike.

The verdict hangs on a source's first shard of the first round alone, as it lies in the store, so that it is the same
whichever shard is drawn first, by which worker, and in a later run. The shard stays in the store.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tuner import hashing, progress
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.checks.form import Form
from tuner.errors import InputError
from tuner.generation.sources import Magpie
from tuner.generation.stage import GENERATE
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.settings import settings
from tuner.shares import Share
from tuner.stage import Part

MOST_FRAGMENTS = 1 / 3
"""The share of fragments above which a shard is bad, with all of its 95 % interval: a small shard may have more of them
by chance."""

FEWEST_ROWS = 16
"""A smaller shard says too little."""

LOOK_SECONDS = 5.0
"""How often the other shards that are drawn at the same time look at the first."""

_EXAMPLE = 80
"""Characters of an instruction that are shown."""


def deciding(recipe: Recipe) -> list[Part]:
    """The shards that a run hangs on: the first of every source that draws out of nothing.

    One that is too small says nothing, and drafts that are refined may well be fragments.
    """
    drawn = recipe.generation
    return [
        part
        for part in planned(recipe).of(GENERATE.name)
        if (part.subject.round, part.subject.number) == (0, 0)
        and part.subject.rows >= FEWEST_ROWS
        and part.subject.source not in drawn.drafts
        and isinstance(drawn.sources[part.subject.source], Magpie)
    ]


def check(recipe: Recipe, store: Store) -> bool:
    """Looks at the shards that the run hangs on, as far as they have been drawn.

    A kind of fragment whose reason stands in `curation.ignore` is wanted, and does not count.

    Args:
        recipe: The recipe.
        store: The store.

    Returns:
        Whether all have been drawn.

    Raises:
        InputError: If one is bad.
        DamagedArtifactError: If one is damaged.
    """
    found = [_is_drawn(recipe, part, store) for part in deciding(recipe)]  # all of them are looked at
    return all(found)


def _is_drawn(recipe: Recipe, part: Part, store: Store) -> bool:
    manifest = store.find(part.stage, part.fingerprint)
    if manifest is None:
        return False
    about = repr((part.fingerprint, sorted(recipe.curation.ignore), Form.version))
    passed = settings().folder("cache/suitable") / hashing.of_text(about)
    if not passed.exists():
        _judge(recipe, part.subject.source, store, manifest)
        passed.touch()
    return True


@contextmanager
def watched(stage: str, label: str, recipe: Recipe, store: Store) -> Iterator[None]:
    """While the block draws a shard, ends it once the first shard is there and bad; no other stage is watched.

    Args:
        stage: The stage.
        label: The label of the artifact that the block makes.
        recipe: The recipe.
        store: The store.

    Raises:
        InputError: If the first shard is bad, which the block itself may have drawn.
    """
    if stage != GENERATE.name:
        yield
        return
    drawn, last = check(recipe, store), time.monotonic()

    def look(event: progress.Event) -> None:
        nonlocal drawn, last
        if not drawn and (event.stage, event.label) == (stage, label) and time.monotonic() - last >= LOOK_SECONDS:
            drawn, last = check(recipe, store), time.monotonic()

    with progress.listening(look):
        yield
    if not drawn:
        check(recipe, store)


def _judge(recipe: Recipe, source: str, store: Store, manifest: Manifest) -> None:
    import polars as pl

    from tuner.doctor import fragments

    rows = pl.read_parquet(
        store.fetch(manifest, "rows.parquet"), columns=["instruction", "instruction_finish"], glob=False
    )
    found = fragments.kinds(fragments.alone(rows["instruction"], rows["instruction_finish"]))
    counts = {kind: int(flags.sum()) for kind, flags in found.items() if kind not in recipe.curation.ignore}
    bad = Share(sum(counts.values()), len(rows))
    if not bad.surely_above(MOST_FRAGMENTS):
        return
    most = max(counts, key=lambda kind: counts[kind])
    example = " ".join(rows["instruction"].filter(pl.Series(found[most]))[0].split())
    shown = repr(example if len(example) <= _EXAMPLE else f"{example[:_EXAMPLE]}...")
    each = ", ".join(f"{count:,} {fragments.KINDS[kind]}" for kind, count in counts.items() if count)
    remedies = ["generation.system", "generation.prefix"]
    if most == "cut_instruction":
        remedies.append("generation.instruction.max_tokens")
    raise InputError(
        f"generation stops at its first shard: {bad.value:.0%} of its {len(rows):,} instructions are fragments "
        f"({each}), such as {shown}; compare the openings with `tuner models check {recipe.generator(source)} --draw`, "
        f"then change {', '.join(remedies[:-1])} or {remedies[-1]}; or keep such rows with curation.ignore: [{most}]"
    )
