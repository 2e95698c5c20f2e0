"""Run as a program: datatrove's MinHash over the rows of a Parquet file, as its documentation shows.

Prints the seconds that it took; writes `clusters.npy`, the cluster of each row.
"""

import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.curation.others import WORKERS, texts


class Documents:
    """A step that hands each task its part of the texts."""

    def __init__(self, parts: Sequence[Sequence[str]]) -> None:
        self._parts = parts

    def __call__(self, data: Any, rank: int, world_size: int) -> Iterator[Any]:
        """The documents of one task."""
        from datatrove.data import Document  # pyright: ignore[reportMissingImports]

        return (Document(text=text, id=str(number)) for number, text in enumerate(self._parts[rank]))


def main(file: Path, folder: Path) -> None:
    """Finds the clusters."""
    from datatrove.executor import LocalPipelineExecutor  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.dedup import (  # pyright: ignore[reportMissingImports]
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig  # pyright: ignore[reportMissingImports]

    everything = texts(pl.read_parquet(file, columns=["instruction", "response"]))
    half = -(-len(everything) // WORKERS)
    parts = [everything[at : at + half] for at in range(0, len(everything), half)]
    config = MinhashConfig()
    signatures, buckets, clusters = (str(folder / name) for name in ("signatures", "buckets", "clusters"))
    stages = (
        ("sign", [Documents(parts), MinhashDedupSignature(signatures, config)], len(parts)),
        ("match", [MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets),
        ("cluster", [MinhashDedupCluster(buckets, clusters, config, save_cluster_id=True)], 1),
    )
    clock = time.perf_counter()
    for name, steps, tasks in stages:
        LocalPipelineExecutor(steps, tasks, WORKERS, str(folder / f"logs-{name}")).run()
    print(time.perf_counter() - clock)
    labels = np.arange(len(everything), dtype=np.int64) + len(everything)
    for path in Path(clusters).glob("*.clusters"):
        for row, cluster in struct.iter_unpack("<2I", path.read_bytes()):
            labels[int(path.stem) * half + row] = cluster
    np.save(folder / "clusters.npy", labels)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
