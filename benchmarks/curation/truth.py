"""Which rows are truly similar: every pair that shares a phrase, counted exactly, without the code that is measured.

Normalising and the phrases are spelt out here in plain Python; of the code that is measured nothing is imported.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

PHRASE = 5
Pairs = NDArray[np.int64]


def words(text: str) -> list[str]:
    """The words of a text: NFKC, case-folded, between white space."""
    return unicodedata.normalize("NFKC", text).casefold().split()


def phrases(text: Sequence[str]) -> set[tuple[str, ...]]:
    """The different phrases of five words; a shorter text is one phrase."""
    if len(text) < PHRASE:
        return {tuple(text)} if text else set()
    return {tuple(text[at : at + PHRASE]) for at in range(len(text) - PHRASE + 1)}


def similar(rows: pl.DataFrame, least: float) -> pl.DataFrame:
    """All pairs of rows whose texts as one have a Jaccard similarity of at least `least`.

    Args:
        rows: `instruction` and `response`; at most some tens of thousands.
        least: Above 0.

    Returns:
        `a` < `b` (positions, int64) and `jaccard`.
    """
    texts = zip(rows["instruction"], rows["response"], strict=True)
    return _pairs([words(first) + words(second) for first, second in texts], least)


def alike(rows: pl.DataFrame, least: float) -> pl.DataFrame:
    """The same of the instructions alone."""
    return _pairs([words(text) for text in rows["instruction"]], least)


def _pairs(texts: Sequence[Sequence[str]], least: float) -> pl.DataFrame:
    sets = [phrases(text) for text in texts]
    sizes = pl.Series([len(each) for each in sets])
    held = pl.DataFrame(
        {
            "row": np.repeat(np.arange(len(sets)), sizes.to_numpy()),
            # Of 64 bits; in some millions of phrases two that differ have the same one with a probability of 1e-6.
            "phrase": [hash(phrase) for each in sets for phrase in each],
        }
    ).filter(pl.len().over("phrase") > 1)
    shared = held.join(held, on="phrase").filter(pl.col("row") < pl.col("row_right"))
    counted = shared.group_by(a="row", b="row_right").len("shared").sort("a", "b")
    total = sizes.gather(counted["a"]) + sizes.gather(counted["b"])
    jaccard = counted.select("a", "b", jaccard=pl.col("shared") / (total - pl.col("shared")))
    return jaccard.filter(pl.col("jaccard") >= least)


def scores(clusters: NDArray[np.int64], planted: Pairs, partners: Pairs) -> tuple[float, float]:
    """How well clusters match the truth.

    Args:
        clusters: The cluster of each row, shape (rows,).
        planted: Pairs that have to end in one cluster, shape (pairs, 2).
        partners: All pairs that may rightly be in one cluster, shape (pairs, 2).

    Returns:
        Precision: of the rows that share a cluster with others, how many have a partner there. Recall: of the planted
        pairs, how many are in one cluster.
    """
    _, numbers, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    together = sizes[numbers] > 1
    right = np.zeros(clusters.size, np.bool_)
    right[partners[numbers[partners[:, 0]] == numbers[partners[:, 1]]].ravel()] = True
    recall = np.mean(numbers[planted[:, 0]] == numbers[planted[:, 1]])
    return float(right[together].mean()) if together.any() else 1.0, float(recall)
