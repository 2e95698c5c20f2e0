"""The stages of curation: `examine` looks at each row alone, `match` at pairs, and `curate` decides."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tuner.curation.duplicates.partitions import task_count
from tuner.curation.metrics import Curated, Examined, Matched
from tuner.generation.shards import ShardSpec, round_label, shard_sizes
from tuner.reading.settings import ROWS_IN_FILE, Rows, file_name
from tuner.stage import Part, Parts, Stage, Work

if TYPE_CHECKING:
    from tuner.curation.texts import Shard


class Drawn(NamedTuple):
    """A shard of rows.

    Attributes:
        part: The artifact that holds it.
        shard: Which it is, and the file that holds it.
    """

    part: Part
    shard: ShardSpec


def drawn(parts: Parts) -> list[Drawn]:
    """The shards of all rows that are curated, round after round, and in each in the order of the sources."""
    generation = parts.recipe.generation
    by_source: dict[str, list[Drawn]] = {name: [] for name in generation.sources if name not in generation.drafts}
    for part in parts.of("read"):
        if part.label in by_source and isinstance(generation.sources[part.label], Rows):
            sizes = shard_sizes(generation.amounts[part.label], ROWS_IN_FILE)
            by_source[part.label] = [
                Drawn(part, ShardSpec(0, parts.recipe.seed, number, rows, part.label, file_name(number)))
                for number, rows in enumerate(sizes)
            ]
    for part in parts.of("generate"):
        if part.subject.source in by_source:
            by_source[part.subject.source].append(Drawn(part, part.subject))
    everything = [each for shards in by_source.values() for each in shards]
    return sorted(everything, key=lambda each: each.shard.round)


def _examined(parts: Parts) -> Iterator[Part]:
    for part, shard in drawn(parts):
        curation = parts.recipe.curation_of(shard.source)
        settings = curation.read_by("examine", "examine")
        if part.stage == "read":
            settings = {**settings, "shard": shard.number}
        exact = curation.duplicates.semantic is None  # an embedding is a model's
        yield EXAMINE.part(settings, {"rows": part}, shard.label, subject=shard, exact=exact)


def _examine(work: Work) -> Examined:
    from tuner.artifacts import parquet
    from tuner.curation.examine import examine
    from tuner.rows import THOUGHTS, TOOLS

    shard: ShardSpec = work.part.subject
    rows = work.file("rows", shard.file)
    beside = [name for name in (THOUGHTS, TOOLS) if name in parquet.read_schema(rows).names]
    return examine(rows, work.recipe.curation_of(shard.source), work.folder, beside)


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
    shards, examined = drawn(parts), parts.of("examine")
    for number in range(generation.rounds):
        until = sum(shard.round <= number for _, shard in shards)
        count = task_count(sum(shard.rows for _, shard in shards[:until]), curation.duplicates)
        for part in range(count):
            round_ = {"round": number} if number else {}
            yield MATCH.part(
                {**curation.read_by("match", "examine"), "part": part, "parts": count, **round_},
                {"shards": [each for each, _ in shards[:until]], "examined": examined[:until]},
                round_label(number, f"part {part + 1}"),
                subject=part,
            )


def _match(work: Work) -> Matched:
    from tuner.curation.match import match

    rows = sum(part.subject.rows for part in work.part.reads["examined"])
    return match(_shards(work), work.recipe.curation.duplicates, work.part.subject, rows, work.folder)


MATCH = Stage(
    "match", 3, Matched, _matched, _match, "Finds which rows are near to each other.", per="part", sharded=True
)


def _curated(parts: Parts) -> Iterator[Part]:
    reads = {
        "shards": [part for part, _ in drawn(parts)],
        "examined": parts.of("examine"),
        "matched": parts.of("match"),
        **({"judged": judged} if (judged := parts.of("judge")) else {}),
    }
    yield CURATE.part(parts.recipe.curation.read_by("curate", "examine"), reads)


def _curate(work: Work) -> Curated:
    from tuner.curation.curate import curate

    unfinished = sum(Matched.read(manifest).unfinished_buckets for manifest in work.manifests("matched"))
    edges = work.files("matched", "edges.parquet")
    return curate(_shards(work), edges, unfinished, work.recipe.curation, work.folder)


CURATE = Stage("curate", 5, Curated, _curated, _curate, "Gives every row its verdict.")


def _shards(work: Work) -> "list[Shard]":
    from tuner.curation.texts import Shard

    shards: list[ShardSpec] = [part.subject for part in work.part.reads["examined"]]
    rows = [
        work.store.fetch(manifest, shard.file) for manifest, shard in zip(work.manifests("shards"), shards, strict=True)
    ]
    checks, signatures = (work.files("examined", f"{name}.parquet") for name in ("checks", "signatures"))
    rounds = [shard.round for shard in shards]
    judged = work.files("judged", "judged.parquet") if "judged" in work.part.reads else [None] * len(shards)
    return [Shard(*files) for files in zip(rows, checks, signatures, rounds, judged, strict=True)]
