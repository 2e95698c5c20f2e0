"""The stage `match`: finds rows of a round that are near to each other or to earlier rows, in one partition."""

import time
from collections.abc import Sequence
from pathlib import Path

from tuner.artifacts import parquet
from tuner.curation.checks.duplicates import Duplicates
from tuner.curation.duplicates import matching
from tuner.curation.duplicates.partitions import near_partition_count
from tuner.curation.metrics import Matched
from tuner.curation.texts import CheckedTexts, Shard


def match(shards: Sequence[Shard], duplicates: Duplicates, part: int, rows: int, folder: Path) -> Matched:
    """Searches one partition and writes `edges.parquet`.

    Args:
        shards: The files of every shard of the round and of those before it, in order.
        duplicates: What is compared and how.
        part: Which partition; the last one compares vectors, if semantic duplicates are looked for.
        rows: Rows of these shards, from which the number of partitions follows.
        folder: Where to write.
    """
    clock = time.perf_counter()
    signatures = [shard.signatures for shard in shards]
    earlier = sum(shard.round < shards[-1].round for shard in shards)
    count = near_partition_count(rows, duplicates)
    matches = matching.match(signatures, CheckedTexts(shards), duplicates, part, count, earlier)
    parquet.write(matches.edges, folder / "edges.parquet")
    return Matched(
        compared=matches.compared,
        candidates=matches.candidates,
        comparisons=matches.comparisons,
        edges=matches.edges.num_rows,
        unfinished_buckets=matches.unfinished_buckets,
        seconds=round(time.perf_counter() - clock, 3),
    )
