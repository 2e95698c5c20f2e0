"""Proof that a split does not leak: reads the two files back and looks for instructions that stand on both sides.

It shares nothing with what made the split but what a normalised text is. Equal texts are found as strings. For near
ones each held-out row counts what it shares with every training row that could reach the similarity: an inverted index
of the training rows over the n-grams of the held-out ones, with the postings of an n-gram by the size of the row (after
Li et al. 2008, "Efficient merging and filtering algorithms for approximate string searches").
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.text import normalised
from tuner.splitting.metrics import Overlap

_ROWS = 50_000
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


def check(train: Path, validation: Path, similarity: float, ngram: int) -> Overlap:
    """Counts what stands on both sides.

    Args:
        train: A file with `row_id` and `prompt`.
        validation: Another.
        similarity: The Jaccard similarity of sets of word n-grams that counts as near.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.
    """
    held = pl.concat(_read(validation))
    grams, owners, sizes = _ngrams(held["text"], ngram)
    vocabulary, ids = np.unique(grams, return_inverse=True)
    texts = set(held["text"])
    equal: dict[str, str] = {}
    names, trained_ids, trained_owners, trained_sizes = [], [], [], []
    rows = 0
    for piece in _read(train):
        for row_id, text in piece.iter_rows():
            if text in texts:
                equal.setdefault(text, row_id)
        found, of, size = _ngrams(piece["text"], ngram)
        # In order they are looked up several times as fast.
        order = np.argsort(found)
        found, of = found[order], of[order]
        at = np.minimum(np.searchsorted(vocabulary, found), max(vocabulary.size - 1, 0))
        known = vocabulary[at] == found if vocabulary.size else np.zeros(found.size, np.bool_)
        trained_ids.append(at[known])
        trained_owners.append(of[known] + rows)
        trained_sizes.append(size)
        names.append(piece["row_id"])
        rows += len(piece)
    near, compared = _near(
        (ids.astype(np.int64), owners, sizes),
        (np.concatenate(trained_ids), np.concatenate(trained_owners), np.concatenate(trained_sizes)),
        vocabulary.size,
        similarity,
    )
    doubled = held.filter(pl.col("text").is_in(list(equal)))
    example = None
    if len(doubled):
        example = (doubled["row_id"][0], equal[doubled["text"][0]])
    elif (near >= 0).any():
        row = int(np.argmax(near >= 0))
        example = (held["row_id"][row], pl.concat(names)[int(near[row])])
    return Overlap(
        exact_overlap=len(doubled),
        near_overlap=int((near >= 0).sum()),
        similarity=similarity,
        ngram=ngram,
        pairs_compared=compared,
        example=example,
    )


def _read(path: Path) -> Iterator[pl.DataFrame]:
    """`row_id` and `text`, the normalised first turn of the user (of anyone, if no user speaks), piece by piece."""
    yield pl.DataFrame(schema={"row_id": pl.String, "text": pl.String})
    for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS, columns=["row_id", "prompt"]):
        turns = pl.DataFrame(batch).with_row_index("row").explode("prompt").unnest("prompt")
        asked = (
            turns.sort("row", pl.col("role") != "user", maintain_order=True)
            .unique("row", keep="first", maintain_order=True)
            .select("row_id", text="content")
        )
        yield asked.with_columns(normalised(asked["text"]).alias("text"))


def _ngrams(texts: pl.Series, ngram: int) -> tuple[_U64, _I64, _I64]:
    """The different n-grams of every text as numbers, whose they are, and how many each text has.

    An n-gram's number is a sum of its words' hashes, each times an odd number that belongs to its place.
    """
    filled = texts.set(texts == "", None).str.split(" ")
    counts = filled.list.len().fill_null(0).to_numpy().astype(np.int64)
    words = filled.explode().drop_nulls().hash(seed=7).to_numpy()
    begins = np.cumsum(counts) - counts
    factors = np.random.default_rng(7).integers(0, 2**64, ngram, np.uint64) | np.uint64(1)
    padded = np.concatenate([words, np.zeros(ngram, np.uint64)])
    rolling = np.zeros(words.size, np.uint64)
    for step, factor in enumerate(factors):
        rolling += padded[step : step + words.size] * factor
    # What begins too near to the end of its text runs into the next.
    owners = np.repeat(np.arange(counts.size), counts)
    inside = np.arange(words.size) - begins[owners] <= counts[owners] - ngram
    short = np.flatnonzero((counts > 0) & (counts < ngram))
    alone = np.zeros(short.size, np.uint64)
    for step, factor in enumerate(factors):
        longer = counts[short] > step
        alone[longer] += words[begins[short[longer]] + step] * factor
    grams, owners = np.concatenate([rolling[inside], alone]), np.concatenate([owners[inside], short])
    different = pl.DataFrame({"owner": owners, "gram": grams}).unique()
    owners = different["owner"].to_numpy()
    return different["gram"].to_numpy(), owners, np.bincount(owners, minlength=counts.size)


def _near(
    held: tuple[_I64, _I64, _I64], trained: tuple[_I64, _I64, _I64], ids: int, similarity: float
) -> tuple[_I64, int]:
    """For every held-out row a training row that is near to it, or -1; and how many pairs were compared.

    Args:
        held: The n-grams' ids, their owners, and the owners' sizes.
        trained: The same of the training rows, only of the ids that are held out too; sizes count all n-grams.
        ids: How many ids there are.
        similarity: The bound.
    """
    trained_ids, trained_owners, trained_sizes = trained
    # Each order is full, so that the count of pairs is the same in every run.
    order = np.lexsort((trained_owners, trained_sizes[trained_owners], trained_ids))
    postings = trained_owners[order]
    lengths = np.bincount(trained_ids, minlength=ids)
    order = np.argsort(trained_owners, kind="stable")
    lists, list_ends = trained_ids[order], _ends(trained_owners, trained_sizes.size)
    held_ids, held_owners, held_sizes = held
    # Those in the fewest training rows first.
    order = np.lexsort((held_ids, lengths[held_ids], held_owners))
    return _count(
        held_ids[order],
        _ends(held_owners, held_sizes.size),
        held_sizes,
        postings,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        lists,
        list_ends,
        trained_sizes,
        similarity,
    )


def _ends(owners: _I64, number: int) -> _I64:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=number))]).astype(np.int64)


@njit(cache=True, nogil=True)
def _count(
    held: _I64,
    held_ends: _I64,
    held_sizes: _I64,
    postings: _I64,
    posting_ends: _I64,
    lists: _I64,
    list_ends: _I64,
    sizes: _I64,
    similarity: float,
) -> tuple[_I64, int]:
    near = np.full(held_sizes.size, -1, np.int64)
    has = np.full(posting_ends.size - 1, -1, np.int64)
    seen = np.full(sizes.size, -1, np.int64)
    compared = 0
    for row in range(held_sizes.size):
        begin, end, size = held_ends[row], held_ends[row + 1], held_sizes[row]
        for at in range(begin, end):
            has[held[at]] = row
        for at in range(begin, end):
            if near[row] >= 0:
                break
            # A pair that shares none of the n-grams before this one shares at most so many.
            most = end - at
            first, last = posting_ends[held[at]], posting_ends[held[at] + 1]
            low, high = first, last
            while low < high:  # the first row that is not too small to be near
                middle = (low + high) // 2
                if sizes[postings[middle]] / size < similarity:
                    low = middle + 1
                else:
                    high = middle
            for position in range(low, last):
                other = postings[position]
                bound = min(most, sizes[other])
                if bound / (size + sizes[other] - bound) < similarity:
                    if bound == most:
                        break  # and larger rows need more
                    continue
                if seen[other] == row:
                    continue
                seen[other] = row
                compared += 1
                shared = 0
                for word in range(list_ends[other], list_ends[other + 1]):
                    shared += has[lists[word]] == row
                if shared / (size + sizes[other] - shared) >= similarity:
                    near[row] = other
                    break
    return near, compared
