"""Sets of word n-grams and the overlap of two of them.

Used for near duplicates, the clusters of the split, benchmark prompts and diversity. The check for leaks after a split
is a separate implementation on purpose.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.characters import Bytes
from tuner.curation.columns.words import I64, U64, Words, phrases

MOST_BITS = 52
"""Of a number, so that it can be sorted together with its text. Among 50 million distinct n-grams 0.3 collisions are
expected."""
_VALUE = np.uint64((1 << MOST_BITS) - 1)
# At most 4,096, for the 12 bits beside a number.
_TEXTS_AT_ONCE = 1024

Flags = NDArray[np.bool_]
Numbers = NDArray[np.unsignedinteger[Any]]
Whole = Any
"""An integer in compiled code, which does not tell Python's from NumPy's."""


@dataclass(frozen=True)
class Sets:
    """Sets of numbers that stand for n-grams.

    Attributes:
        values: Sorted and distinct within each set, one set after another, shape (values,).
        offsets: Set i has the values from offsets[i] up to offsets[i + 1], shape (sets + 1,).
    """

    values: Numbers
    offsets: I64

    def __len__(self) -> int:
        return self.offsets.size - 1


def sets_of(words: Words, ngram: int, bits: int = MOST_BITS) -> Sets:
    """The set of each text's n-grams.

    Args:
        words: Of normalised texts.
        ngram: Words in an n-gram; a shorter text is one n-gram, an empty one has none.
        bits: How many upper bits of each hash are used: 52, or 32 to halve the memory.
    """
    return _distinct(sequences_of(words, ngram, bits))


def sequences_of(words: Words, ngram: int, bits: int = MOST_BITS) -> Sets:
    """Each text's n-grams in the order of the text, not sorted and not distinct; arguments as for `sets_of`."""
    hashes, offsets = phrases(words, ngram)
    return Sets((hashes >> np.uint64(64 - bits)).astype(_type(bits), copy=False), offsets)


def template_rows(rows: int) -> int:
    """How many rows share a phrase that is a template's: a thousandth of all, at least 8, at most 100.

    100 is the limit for benchmark prompts too. Fewer in small data, where eight tasks under one description are the
    usual shape of data for classification and extraction.
    """
    return min(max(rows // 1000, 8), 100)


def without_templates(sequences: Sets, ngram: int, least: int) -> Sets:
    """The set of each text's `own` n-grams, beyond the `templates` of these texts; arguments as there."""
    return own(sequences, ngram, templates(sequences, least)[0])


def templates(sequences: Sets, least: int) -> tuple[Numbers, I64]:
    """The n-grams that at least `least` texts have, which are templates': sorted, and how many texts have each.

    Args:
        sequences: As `sequences_of` makes them.
        least: At most 255.
    """
    buckets = 1 << min(max(int(sequences.offsets[-1]).bit_length() + 3, 16), 27)
    counts = np.zeros(buckets, np.uint8)
    _count(sequences.values[: sequences.offsets[-1]], counts)
    mask = sequences.values.dtype.type(buckets - 1)
    # Counts of a bucket only choose what is counted exactly.
    chosen = [_keys(owners, values, counts[values & mask] >= least) & _VALUE for values, owners in _blocks(sequences)]
    numbers, times = np.unique(np.concatenate([np.empty(0, np.uint64), *chosen]), return_counts=True)
    return numbers[times >= least].astype(sequences.values.dtype), times[times >= least]


def own(sequences: Sets, ngram: int, of_templates: Numbers) -> Sets:
    """The set of each text's own n-grams: those of whose words more than half are in no phrase of a template.

    So texts under one task description are compared by what is asked in each. A text without own n-grams is compared
    whole: it is the template itself, or differs from it by two words in five at most.

    Args:
        sequences: As `sequences_of` makes them; overwritten.
        ngram: Words in an n-gram.
        of_templates: The n-grams of templates, sorted.
    """
    is_template = member(of_templates)
    return _distinct(sequences, lambda values, owners: _beyond(is_template(values), owners, ngram))


def member(numbers: Numbers) -> Callable[[Numbers], Flags]:
    """Tells which of some values are among sorted numbers; most that are not are known by their lower bits."""
    mask = numbers.dtype.type((1 << max(numbers.size.bit_length() + 4, 16)) - 1)
    known = np.zeros(int(mask) + 1, np.bool_)
    known[numbers & mask] = True

    def among(values: Numbers) -> Flags:
        found = known[values & mask]
        candidates = values[found]
        found[found] = numbers[np.minimum(np.searchsorted(numbers, candidates), numbers.size - 1)] == candidates
        return found

    return among


def joined(pieces: list[Sets], bits: int = MOST_BITS) -> Sets:
    """Concatenates sets. Empties the list on the way, so that memory never holds them twice."""
    sizes = [np.zeros(1, np.int64), *(np.diff(piece.offsets) for piece in pieces)]
    offsets = np.cumsum(np.concatenate(sizes))
    values, end = np.empty(offsets[-1], _type(bits)), offsets[-1]
    while pieces:
        piece = pieces.pop().values
        values[end - piece.size : end] = piece
        end -= piece.size
    return Sets(values, offsets)


def _type(bits: int) -> str:
    return "uint32" if bits == 32 else "uint64"


def _blocks(sequences: Sets) -> Iterator[tuple[Numbers, I64]]:
    """The numbers of some texts at a time, and the text within the block that each belongs to."""
    offsets = sequences.offsets
    for begin in range(0, len(sequences), _TEXTS_AT_ONCE):
        some = offsets[begin : begin + _TEXTS_AT_ONCE + 1]
        yield sequences.values[some[0] : some[-1]], np.repeat(np.arange(some.size - 1), np.diff(some))


def _keys(owners: I64, values: Numbers, chosen: Flags | slice) -> U64:
    """The sorted distinct pairs of text and number: the text in the upper 12 bits, the number in the lower 52.

    Sorting them is three times as fast as sorting each text by itself in compiled code, and nothing is compiled.
    """
    keys = np.sort(owners[chosen].astype(np.uint64) << np.uint64(MOST_BITS) | values[chosen])
    return keys[np.diff(keys, prepend=~keys[:1]) != 0]


def _distinct(sequences: Sets, own: Callable[[Numbers, I64], Flags | slice] = lambda *_: slice(None)) -> Sets:
    """The sorted distinct numbers of each text, in place: all, or those that `own` chooses of a block."""
    values, sizes, end = sequences.values, [np.zeros(1, np.int64)], 0
    for some, owners in _blocks(sequences):
        keys = _keys(owners, some, own(some, owners))
        values[end : end + keys.size] = keys & _VALUE
        end += keys.size
        sizes.append(np.bincount((keys >> np.uint64(MOST_BITS)).astype(np.int64), minlength=_TEXTS_AT_ONCE))
    sizes = np.concatenate(sizes)[: len(sequences) + 1]
    return Sets(values[:end], np.cumsum(sizes))


def _beyond(shared: Flags, owners: I64, ngram: int) -> Flags:
    """Which n-grams are a text's own, or all of a text that has none, from which ones are a template's."""
    if not shared.any():
        return ~shared
    # A text has `ngram` - 1 words more than n-grams.
    at = np.arange(owners.size) + owners * (ngram - 1)
    words = int(at[-1]) + ngram
    steps = np.zeros(words + 1, np.int64)
    steps[at[shared]] += 1
    steps[at[shared] + ngram] -= 1
    own_words = np.append(0, np.cumsum(np.cumsum(steps[:-1]) == 0))
    own = 2 * (own_words[at + ngram] - own_words[at]) > ngram
    return own | (np.bincount(owners[own], minlength=int(owners[-1]) + 1) == 0)[owners]


@njit(cache=True, nogil=True)
def _count(values: Numbers, counts: Bytes) -> None:
    """Counts numbers in buckets by their lower bits, up to 255."""
    mask = counts.size - 1
    for value in values:
        bucket = np.int64(value) & mask
        counts[bucket] += counts[bucket] < 255


@njit(cache=True, nogil=True)
def shared(values: Numbers, left: Whole, left_end: Whole, right: Whole, right_end: Whole, least: Whole) -> Whole:
    """How many numbers two sorted runs share; -1 as soon as they cannot share `least`.

    Two runs of 213 numbers take 2.7 us; NumPy's `intersect1d` takes 12, building and intersecting Python sets 16.
    """
    count = 0
    while left < left_end and right < right_end:
        if count + min(left_end - left, right_end - right) < least:
            return -1
        # Without a branch, which would be mispredicted.
        one, other = values[left], values[right]
        count += one == other
        left += one <= other
        right += other <= one
    return count if count >= least else -1


@njit(cache=True, nogil=True)
def jaccard(values: Numbers, offsets: I64, one: Whole, other: Whole, least: float) -> float:
    """The Jaccard similarity of two sets; -1 as soon as it cannot reach `least`; 0 if both are empty."""
    left, left_end, right, right_end = offsets[one], offsets[one + 1], offsets[other], offsets[other + 1]
    total = left_end - left + right_end - right
    if total == 0:
        return 0.0
    # The smallest count with count / (total - count) >= least, less a margin for rounding.
    needed = np.int64(np.ceil(least * total / (1.0 + least) - 1e-6))
    count = shared(values, left, left_end, right, right_end, needed)
    similarity = count / (total - count)
    return similarity if similarity >= least else -1.0
