"""Other tools on the same rows: datatrove's Gopher filter and MinHash, and datasketch, each with its defaults.

A tool that is not installed is passed over, and the table says so.
"""

import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.curation.truth import phrases, words

WORKERS = 2
PERMUTATIONS = 128
"""datasketch's default."""


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def gopher(rows: pl.DataFrame) -> float:
    """Responses a second through datatrove's Gopher repetition filter, with two processes that are warm."""
    responses = rows["response"].to_list()
    half = len(responses) // WORKERS
    parts = [responses[at * half : (at + 1) * half] for at in range(WORKERS)]
    with ProcessPoolExecutor(WORKERS, get_context("forkserver")) as pool:
        list(pool.map(_filtered, [part[:10] for part in parts]))  # imports, and loads the tokenizer
        clock = time.perf_counter()
        list(pool.map(_filtered, parts))
        return half * WORKERS / (time.perf_counter() - clock)


def datatrove_minhash(file: Path, folder: Path) -> tuple[float, NDArray[np.int64]]:
    """Datatrove's MinHash with its defaults (14 x 8 on 5-grams) and two processes.

    It runs in a process of its own, since it writes much to standard error; this goes into a file.

    Args:
        file: Rows with `instruction` and `response`, Parquet.
        folder: For what it writes.

    Returns:
        Rows a second, starting its processes included, and the cluster of each row.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.curation.others_datatrove", str(file), str(folder)]
    with (folder / "stderr.txt").open("w") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"datatrove ended with {done.returncode}: {folder / 'stderr.txt'}")
    labels = np.load(folder / "clusters.npy")
    return labels.size / float(done.stdout.split()[-1]), labels


def datasketch_minhash(rows: pl.DataFrame, similarity: float) -> tuple[float, NDArray[np.int64]]:
    """Datasketch's MinHash and LSH on the same 5-grams, in one process; candidates are taken as they come.

    Returns:
        Rows a second, and the cluster of each row.
    """
    from datasketch import MinHash, MinHashLSH  # pyright: ignore[reportMissingImports]

    from tuner.curation.duplicates.clusters import components

    clock = time.perf_counter()
    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    pairs = []
    for row, text in enumerate(texts(rows)):
        signature = MinHash(PERMUTATIONS)
        signature.update_batch([" ".join(phrase).encode() for phrase in phrases(words(text))])
        pairs += [(row, other) for other in index.query(signature)]
        index.insert(row, signature)
    labels = components(len(rows), *np.array(pairs, np.int64).reshape(-1, 2).T)
    return len(rows) / (time.perf_counter() - clock), labels


def texts(rows: pl.DataFrame) -> list[str]:
    """Both texts of each row as one."""
    return (rows["instruction"] + "\n" + rows["response"]).to_list()


def _filtered(responses: Sequence[str]) -> int:
    """How many responses pass."""
    from datatrove.data import Document  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.filters import GopherRepetitionFilter  # pyright: ignore[reportMissingImports]

    rules = GopherRepetitionFilter()
    return sum(rules.filter(Document(text=text, id="")) is True for text in responses)
