"""The stage `match`: which rows of a round are near to each other or to earlier ones, as far as one partition tells."""

import time
from collections.abc import Sequence
from pathlib import Path

from tuner.artifacts import parquet
from tuner.curation.checks.duplicates import Duplicates
from tuner.curation.duplicates import matching
from tuner.curation.duplicates.partitions import bands
from tuner.curation.metrics import Matched
from tuner.curation.texts import CheckedTexts, Shard


def match(shards: Sequence[Shard], duplicates: Duplicates, part: int, rows: int, folder: Path) -> Matched:
    """Searches one partition and writes `edges.parquet`.

    Args:
        shards: The files of every shard of the round and of those before it, in order.
        duplicates: What is compared and how.
        part: Which partition; the last one compares vectors, if semantic duplicates are looked for.
        rows: How many these shards hold, from which the number of partitions follows.
        folder: Where to write.
    """
    clock = time.perf_counter()
    signatures = [shard.signatures for shard in shards]
    settled = sum(shard.round < shards[-1].round for shard in shards)
    found = matching.match(signatures, CheckedTexts(shards), duplicates, part, bands(rows, duplicates), settled)
    parquet.write(found.edges, folder / "edges.parquet")
    return Matched(
        compared=found.compared,
        candidates=found.candidates,
        comparisons=found.comparisons,
        edges=found.edges.num_rows,
        unfinished_buckets=found.unfinished_buckets,
        seconds=round(time.perf_counter() - clock, 3),
    )
