"""The stages of curation: `examine` looks at each row alone, `match` at pairs, and `curate` decides."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tuner.curation.duplicates.partitions import task_count
from tuner.curation.metrics import Curated, Examined, Matched
from tuner.generation.shards import round_label
from tuner.stage import Part, Parts, Stage, Work

if TYPE_CHECKING:
    from tuner.curation.texts import Shard


def _examined(parts: Parts) -> Iterator[Part]:
    settings = parts.recipe.curation.read_by("examine", "examine")
    exact = parts.recipe.curation.duplicates.semantic is None  # an embedding is a model's
    for shard in parts.of("generate"):
        yield EXAMINE.part(settings, {"rows": shard}, shard.label, subject=shard.subject, exact=exact)


def _examine(work: Work) -> Examined:
    from tuner.curation.examine import examine
    from tuner.curation.texts import THOUGHTS

    return examine(work.file("rows", "rows.parquet"), work.recipe.curation, work.folder, [THOUGHTS])


EXAMINE = Stage(
    "examine",
    4,
    Examined,
    _examined,
    _examine,
    "Cleans the texts of shards and checks each row by itself.",
    per="shard",
    sharded=True,
)


def _matched(parts: Parts) -> Iterator[Part]:
    """A part for each round and partition. The rows of a round are compared with each other and with earlier ones.

    A part does not depend on later rounds, so a new round leaves the artifacts of earlier ones valid.
    """
    generation, curation = parts.recipe.generation, parts.recipe.curation
    shards, examined = parts.of("generate"), parts.of("examine")
    for number in range(generation.rounds):
        count = task_count((number + 1) * generation.rows, curation.duplicates)
        until = (number + 1) * len(examined) // generation.rounds
        for part in range(count):
            round_ = {"round": number} if number else {}
            yield MATCH.part(
                {**curation.read_by("match", "examine"), "part": part, "parts": count, **round_},
                {"shards": shards[:until], "examined": examined[:until]},
                round_label(number, f"part {part + 1}"),
                subject=part,
            )


def _match(work: Work) -> Matched:
    from tuner.curation.match import match

    shards = _shards(work)
    rows = (shards[-1].round + 1) * work.recipe.generation.rows
    return match(shards, work.recipe.curation.duplicates, work.part.subject, rows, work.folder)


MATCH = Stage(
    "match", 3, Matched, _matched, _match, "Finds which rows are near to each other.", per="part", sharded=True
)


def _curated(parts: Parts) -> Iterator[Part]:
    reads = {"shards": parts.of("generate"), "examined": parts.of("examine"), "matched": parts.of("match")}
    yield CURATE.part(parts.recipe.curation.read_by("curate", "examine"), reads)


def _curate(work: Work) -> Curated:
    from tuner.curation.curate import curate

    unfinished = sum(Matched.read(manifest).unfinished_buckets for manifest in work.manifests("matched"))
    edges = work.files("matched", "edges.parquet")
    return curate(_shards(work), edges, unfinished, work.recipe.curation, work.folder)


CURATE = Stage("curate", 5, Curated, _curated, _curate, "Gives every row its verdict.")


def _shards(work: Work) -> "list[Shard]":
    from tuner.curation.texts import Shard

    rows = work.files("shards", "rows.parquet")
    checks, signatures = (work.files("examined", f"{name}.parquet") for name in ("checks", "signatures"))
    rounds = [part.subject.round for part in work.part.reads["shards"]]
    return [Shard(*files) for files in zip(rows, checks, signatures, rounds, strict=True)]
