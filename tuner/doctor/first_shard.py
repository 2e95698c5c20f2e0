"""Stops a run whose first shard is bad, since its other shards would be alike.

The verdict hangs on the first shard of the first round alone, as it lies in the store, so that it is the same whichever
shard is drawn first, by which worker, and in a later run. The shard stays in the store.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tuner import hashing, progress
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.checks.form import Form
from tuner.doctor.shares import Share
from tuner.errors import InputError
from tuner.generation.stage import GENERATE
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.settings import settings
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


def decides(part: Part) -> bool:
    """Whether a run hangs on an artifact: the first shard of a recipe, if it is large enough to say something."""
    if part.stage != GENERATE.name or part.subject.rows < FEWEST_ROWS:
        return False
    return (part.subject.round, part.subject.number) == (0, 0)


def check(recipe: Recipe, store: Store) -> bool:
    """Looks at the first shard, if it has been drawn.

    A kind of fragment whose reason stands in `curation.ignore` is wanted, and does not count.

    Args:
        recipe: The recipe.
        store: The store.

    Returns:
        Whether it has been drawn.

    Raises:
        InputError: If it is bad.
        DamagedArtifactError: If it is damaged.
    """
    first = planned(recipe).of(GENERATE.name)[0]
    manifest = store.find(first.stage, first.fingerprint)
    if manifest is None:
        return False
    about = repr((first.fingerprint, sorted(recipe.curation.ignore), Form.version))
    passed = settings().folder("cache/suitable") / hashing.of_text(about)
    if not passed.exists():
        if decides(first):
            _judge(recipe, store, manifest)
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


def _judge(recipe: Recipe, store: Store, manifest: Manifest) -> None:
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
        f"({each}), such as {shown}; compare the openings with `tuner models check {recipe.models.generator} --draw`, "
        f"then change {', '.join(remedies[:-1])} or {remedies[-1]}; or keep such rows with curation.ignore: [{most}]"
    )
