"""Leak check of a split: reads two sides back and counts the rows of one that equal or nearly equal rows of the other.

It is run for every two sides, and the names here are those of two: validation rows are looked for among training rows.

Independent of the code that made the split, except for text normalisation. Equal texts are compared as strings. Near
ones are found through an inverted index of the training rows over the n-grams of the validation rows, with the postings
of an n-gram sorted by row size (after Li et al. 2008, "Efficient merging and filtering algorithms for approximate
string searches"): each validation row is compared with every training row that could reach the similarity.

Phrases of templates weigh nothing: of a text only those n-grams are compared of whose words more than half are in no
such phrase; all if none is. So the check shows that no validation row is near a training row in what it says beyond
these phrases. Their words are read from the split's file and hashed here. If the split counted them, `miscounted` shows
that they are just those which very many different instructions of all sides share. If it took them over from a former
split, they were shown to be so there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.text import normalised
from tuner.splitting.metrics import Overlap

_ROWS = 50_000
# A letter of a script without blanks (Han, kana, Thai, Lao, Khmer, Myanmar), with the marks and punctuation behind it.
_ALONE = (
    r"[\x{20000}-\x{3FFFF}\x{3007}[\p{L}&&[\x{0E00}-\x{0EFF}\x{1000}-\x{109F}\x{1780}-\x{17FF}\x{3005}\x{3006}"
    r"\x{3041}-\x{30FF}\x{31F0}-\x{31FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{A9E0}-\x{A9FF}\x{AA60}-\x{AA7F}"
    r"\x{F900}-\x{FAFF}\x{FF66}-\x{FF9F}]]][\p{M}\p{P}\p{S}\p{Cc}\p{Cf}\x{E0000}-\x{E0FFF}]*"
)
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]
_Flags = NDArray[np.bool_]
_NONE = np.empty(0, np.uint64)
# N-grams are counted in parts by their upper bits, so that memory never holds all twice.
_PARTS = np.arange(1, 16, dtype=np.uint64) << np.uint64(60)


def check(train: Path, validation: Path, similarity: float, ngram: int, templates: Path | None = None) -> Overlap:
    """Counts the validation rows that equal, or are near, a training row.

    Args:
        train: A Parquet file with `row_id` and `prompt`.
        validation: Likewise.
        similarity: The Jaccard similarity of word n-gram sets from which two rows are near.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.
        templates: A Parquet file with `phrase`, normalised words that weigh nothing; None for no such phrase.
    """
    phrases = _phrases(templates, ngram) if templates else _NONE
    held_out = pl.concat(_read(validation))
    grams, owners, sizes = _ngrams(held_out["text"], ngram, phrases)
    vocabulary, ids = np.unique(grams, return_inverse=True)
    texts = set(held_out["text"])
    equal: dict[str, str] = {}
    train_row_ids, train_ids, train_owners, train_sizes = [], [], [], []
    rows = 0
    for batch in _read(train):
        for row_id, text in batch.iter_rows():
            if text in texts:
                equal.setdefault(text, row_id)
        batch_grams, batch_owners, batch_sizes = _ngrams(batch["text"], ngram, phrases)
        at = np.minimum(np.searchsorted(vocabulary, batch_grams), max(vocabulary.size - 1, 0))
        known = vocabulary[at] == batch_grams if vocabulary.size else np.zeros(batch_grams.size, np.bool_)
        train_ids.append(at[known])
        train_owners.append(batch_owners[known] + rows)
        train_sizes.append(batch_sizes)
        train_row_ids.append(batch["row_id"])
        rows += len(batch)
    near, compared = _near(
        (ids.astype(np.int64), owners, sizes),
        (np.concatenate(train_ids), np.concatenate(train_owners), np.concatenate(train_sizes)),
        vocabulary.size,
        similarity,
    )
    duplicates = held_out.filter(pl.col("text").is_in(list(equal)))
    example = None
    if len(duplicates):
        example = (duplicates["row_id"][0], equal[duplicates["text"][0]])
    elif (near >= 0).any():
        row = int(np.argmax(near >= 0))
        example = (held_out["row_id"][row], pl.concat(train_row_ids)[int(near[row])])
    return Overlap(
        exact_overlap=len(duplicates),
        near_overlap=int((near >= 0).sum()),
        similarity=similarity,
        ngram=ngram,
        template_ngrams=phrases.size,
        pairs_compared=compared,
        example=example,
    )


def miscounted(rows: Sequence[Path], templates: Path, ngram: int, least: int) -> int:
    """Counts the phrases of templates anew.

    Args:
        rows: Parquet files with `row_id` and `prompt`.
        templates: A Parquet file with `phrase`.
        ngram: Words in an n-gram.
        least: How many different texts of the rows hold an n-gram that is a template's.

    Returns:
        How many n-grams are a template's only by the file or only by this count; 0 if the file is right.
    """
    seen, grams = pl.Series([], dtype=pl.UInt64), [np.split(_NONE, np.searchsorted(_NONE, _PARTS))]
    for batch in (batch for path in rows for batch in _read(path)):
        hashes = _parted(batch["text"]).hash(seed=11)
        new = hashes.is_first_distinct() & ~hashes.is_in(seen.implode())
        seen = pl.concat([seen, hashes.filter(new)])
        some, *_ = _ngrams(batch["text"].filter(new), ngram, _NONE)
        grams.append(np.split(some, np.searchsorted(some, _PARTS)))
    counted = [_NONE]
    for part in zip(*grams, strict=True):
        distinct, times = np.unique(np.concatenate(part), return_counts=True)
        counted.append(distinct[times >= least])
    return np.setxor1d(np.concatenate(counted), _phrases(templates, ngram), assume_unique=True).size


def _phrases(templates: Path, ngram: int) -> _U64:
    """The n-grams of the phrases in a file, sorted."""
    texts = pl.Series(pq.read_table(templates, columns=["phrase"])["phrase"].to_pylist(), dtype=pl.String)
    return np.unique(_ngrams(texts, ngram, _NONE)[0])


def _read(path: Path) -> Iterator[pl.DataFrame]:
    """Batches of `row_id` and `text`: the first user turn (without one, the first turn), normalised."""
    yield pl.DataFrame(schema={"row_id": pl.String, "text": pl.String})
    for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS, columns=["row_id", "prompt"]):
        turns = pl.DataFrame(batch).with_row_index("row").explode("prompt").unnest("prompt")
        first_turns = (
            turns.sort("row", pl.col("role") != "user", maintain_order=True)
            .unique("row", keep="first", maintain_order=True)
            .select("row_id", text="content")
        )
        yield first_turns.with_columns(normalised(first_turns["text"]).alias("text"))


def _ngrams(texts: pl.Series, ngram: int, templates: _U64) -> tuple[_U64, _I64, _I64]:
    """The distinct own n-grams of every text: their hashes, the text that each belongs to, and the count per text.

    Sorted by hash: sorted keys are looked up several times as fast. The hash of an n-gram is the sum of its words'
    hashes, each times an odd factor that depends on its position.
    """
    parted = _parted(texts)
    filled = parted.set(parted == "", None).str.split(" ")
    counts = filled.list.len().fill_null(0).to_numpy().astype(np.int64)
    words = filled.explode().drop_nulls().hash(seed=7).to_numpy()
    begins = np.cumsum(counts) - counts
    factors = np.random.default_rng(7).integers(0, 2**64, ngram, np.uint64) | np.uint64(1)
    padded = np.concatenate([words, np.zeros(ngram, np.uint64)])
    rolling = np.zeros(words.size, np.uint64)
    for step, factor in enumerate(factors):
        rolling += padded[step : step + words.size] * factor
    # An n-gram that begins too near the end of its text runs into the next text.
    owners = np.repeat(np.arange(counts.size), counts)
    inside = np.arange(words.size) - begins[owners] <= counts[owners] - ngram
    if templates.size:
        is_template = pl.Series(rolling).is_in(pl.Series(templates).implode()).to_numpy()
        inside = _own(inside, inside & is_template, owners, ngram)
    short = np.flatnonzero((counts > 0) & (counts < ngram))
    short_grams = np.zeros(short.size, np.uint64)
    for step, factor in enumerate(factors):
        longer = counts[short] > step
        short_grams[longer] += words[begins[short[longer]] + step] * factor
    grams, owners = np.concatenate([rolling[inside], short_grams]), np.concatenate([owners[inside], short])
    # Repeats within a text become neighbours, in a third of the time that Polars' `unique` takes.
    order = np.argsort(grams, kind="stable")
    grams, owners = grams[order], owners[order]
    first = (np.diff(grams, prepend=~grams[:1]) != 0) | (np.diff(owners, prepend=-1) != 0)
    grams, owners = grams[first], owners[first]
    return grams, owners, np.bincount(owners, minlength=counts.size)


def _own(inside: _Flags, templates: _Flags, owners: _I64, ngram: int) -> _Flags:
    """At which words an n-gram begins that is a text's own, or any of a text that has none; shape (words,).

    Args:
        inside: At which words an n-gram begins.
        templates: At which one of a template does.
        owners: The text of each word.
        ngram: Words in an n-gram.
    """
    begun = np.cumsum(np.concatenate([np.zeros(ngram, np.int64), templates]))
    free = np.concatenate([[0], np.cumsum(begun[ngram:] == begun[:-ngram]), np.zeros(ngram, np.int64)])
    own = inside & (2 * (free[ngram : ngram + inside.size] - free[: inside.size]) > ngram)
    return own | inside & (np.bincount(owners[own], minlength=owners[-1] + 1 if owners.size else 0) == 0)[owners]


def _parted(texts: pl.Series) -> pl.Series:
    """Normalised texts with one blank between words, as also around a character that stands alone."""
    beyond_ascii = texts.str.len_bytes() != texts.str.len_chars()
    if not beyond_ascii.any():
        return texts
    parted = texts.filter(beyond_ascii).str.replace_all(f"({_ALONE})", " $1 ").str.replace_all(" +", " ")
    return texts.scatter(beyond_ascii.arg_true(), parted.str.strip_chars(" "))


def _near(
    validation: tuple[_I64, _I64, _I64], train: tuple[_I64, _I64, _I64], vocabulary_size: int, similarity: float
) -> tuple[_I64, int]:
    """A near training row for every validation row, -1 for none; and the number of pairs compared.

    Args:
        validation: N-gram ids, the row of each id, and the n-grams per row.
        train: Likewise, with only the ids that validation rows have too; the n-grams per row count all.
        vocabulary_size: The number of ids.
        similarity: The Jaccard similarity from which two rows are near.
    """
    train_ids, train_owners, train_sizes = train
    # Ties are broken, so that the number of pairs is the same in every run.
    order = np.lexsort((train_owners, train_sizes[train_owners], train_ids))
    postings = train_owners[order]
    lengths = np.bincount(train_ids, minlength=vocabulary_size)
    order = np.argsort(train_owners, kind="stable")
    lists, list_ends = train_ids[order], _ends(train_owners, train_sizes.size)
    validation_ids, validation_owners, validation_sizes = validation
    # The n-grams in the fewest training rows first.
    order = np.lexsort((validation_ids, lengths[validation_ids], validation_owners))
    return _count(
        validation_ids[order],
        _ends(validation_owners, validation_sizes.size),
        validation_sizes,
        postings,
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        lists,
        list_ends,
        train_sizes,
        similarity,
    )


def _ends(owners: _I64, number: int) -> _I64:
    return np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=number))]).astype(np.int64)


@njit(cache=True, nogil=True)
def _count(
    ids: _I64,
    id_ends: _I64,
    row_sizes: _I64,
    postings: _I64,
    posting_ends: _I64,
    lists: _I64,
    list_ends: _I64,
    sizes: _I64,
    similarity: float,
) -> tuple[_I64, int]:
    near = np.full(row_sizes.size, -1, np.int64)
    last_row_with = np.full(posting_ends.size - 1, -1, np.int64)
    last_row_compared = np.full(sizes.size, -1, np.int64)
    compared = 0
    for row in range(row_sizes.size):
        begin, end, size = id_ends[row], id_ends[row + 1], row_sizes[row]
        for at in range(begin, end):
            last_row_with[ids[at]] = row
        for at in range(begin, end):
            if near[row] >= 0:
                break
            # A pair that shares none of the n-grams before this one shares at most this many.
            most = end - at
            first, last = posting_ends[ids[at]], posting_ends[ids[at] + 1]
            low, high = first, last
            while low < high:  # find the first row that is large enough to be near
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
                        break  # larger rows would have to share even more
                    continue
                if last_row_compared[other] == row:
                    continue
                last_row_compared[other] = row
                compared += 1
                shared = 0
                for entry in range(list_ends[other], list_ends[other + 1]):
                    shared += last_row_with[lists[entry]] == row
                if shared / (size + sizes[other] - shared) >= similarity:
                    near[row] = other
                    break
    return near, compared
