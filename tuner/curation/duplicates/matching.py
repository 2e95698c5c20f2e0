"""Finds near duplicates: compares the texts of every pair of rows that shares a band.

The result is a set of edges that link the rows of each cluster, not all pairs, since pairs that are linked already are
skipped. One call searches one partition of the bands over all shards; the edges of all partitions make the clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tuner.curation.checks.duplicates import Duplicates, Near, Text
from tuner.curation.columns.forest import find, unite
from tuner.curation.columns.ngrams import Numbers, Sets, jaccard, sequences_of, template_rows, without_templates
from tuner.curation.columns.words import I64
from tuner.curation.duplicates import embedding, shingles, signatures
from tuner.curation.duplicates.exact import unique_rows
from tuner.curation.duplicates.shingles import Texts

U32 = NDArray[np.uint32]
F64 = NDArray[np.float64]

EDGES = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("on", pa.string()), ("similarity", pa.float64())])
"""Positions a < b of two rows, counted over all shards; what was compared: `instruction`, `response`, `both` or
`semantic`; and the Jaccard similarity of their phrases or the cosine of their vectors."""

COMPARISONS_A_BUCKET = 2**21
"""Limit on the pairs of one bucket: enough for all pairs of 2,048 rows. A larger bucket is finished too if it turns out
to be one cluster, as where thousands share an instruction; otherwise only its best rows are compared with the others,
and it counts as unfinished."""

_S32 = np.uint64(32)


@dataclass(frozen=True)
class Matches:
    """The result of one partition.

    Attributes:
        edges: With the schema `EDGES`, sorted by `on`, `a` and `b`.
        compared: As in `tuner.curation.metrics.Matched`, like the fields below.
        candidates: Rows.
        comparisons: Pairs.
        unfinished_buckets: Buckets.
    """

    edges: pa.Table
    compared: int
    candidates: int
    comparisons: int
    unfinished_buckets: int


def match(
    paths: Sequence[Path], texts: Texts, duplicates: Duplicates, partition: int, of: int, earlier_shards: int = 0
) -> Matches:
    """Finds the near duplicates that share a band of one partition, or the semantic ones.

    Rows that fail a check are left out, and so are all but one of the rows with one key, whose texts are the same.
    Whether two rows end in one cluster does not depend on the order of the rows. Phrases that very many
    candidates share are a template's and not compared (`ngrams.without_templates`). Pairs within the earlier shards are
    not compared, since that was done when the last of those was new.

    Memory: the bands of the partition and some 40 bytes for each row, about 100 bytes and the set of phrases (four
    bytes each) for each candidate.

    Args:
        paths: Each shard's signatures, in order: `key` (uint64), `passes` (bool), `quality` (float64), and the columns
            of `signatures.columns` and `embedding.column`.
        texts: Reads the texts of candidates.
        duplicates: What is compared and how.
        partition: Its number, from 0; number `of` compares vectors.
        of: How many partitions the bands are divided into.
        earlier_shards: How many shards, the first ones, were compared with each other before.

    Raises:
        ValueError: If there is no such partition, or the recipe does not ask for its search.
    """
    rows = signatures.rows(paths)
    earlier_rows = sum(rows.sizes[:earlier_shards])
    positions = unique_rows(rows.keys, rows.passes, rows.quality, earlier_rows)
    fresh = int(np.count_nonzero(positions >= earlier_rows))
    if partition == of and duplicates.semantic is not None:
        vectors = embedding.read(paths, positions)
        a, b, cosine, comparisons = embedding.close(vectors, duplicates.semantic.similarity, fresh)
        edges = _edges(positions, a, b, "semantic", cosine)
        return Matches(edges, positions.size, positions.size, comparisons, 0)
    if partition >= of or duplicates.near is None:
        raise ValueError(f"there is no partition {partition} of {of}")
    return _near(paths, texts, duplicates.near, positions, fresh, rows.sizes, slice(partition, None, of))


def _near(
    paths: Sequence[Path], texts: Texts, near: Near, positions: I64, fresh: int, sizes: Sequence[int], share: slice
) -> Matches:
    bands = range(signatures.banding(near.similarity).bands)[share]
    buckets = {
        on: [_shared_buckets(band[positions], fresh) for band in signatures.read(paths, on, bands)] for on in near.on
    }
    # `members` follow the ranking of rows, their sets of phrases the positions.
    members = {on: np.unique(np.concatenate([rows for rows, _ in buckets[on]])) for on in near.on}
    wanted: dict[Text, I64] = {on: np.sort(positions[members[on]]) for on in near.on}
    sequences = shingles.gather(texts, sizes, wanted, near.ngram, sequences_of)
    template = template_rows(positions.size)
    edges, comparisons, unfinished = [], 0, 0
    for on in near.on:
        member_positions = positions[members[on]]
        set_numbers = np.searchsorted(wanted[on], member_positions)
        numbered = [(np.searchsorted(members[on], rows), begins) for rows, begins in buckets.pop(on)]
        new = int(np.searchsorted(members[on], fresh))
        sets = without_templates(sequences.pop(on), near.ngram, template)
        a, b, similar, compared, left = _link_buckets(numbered, sets, set_numbers, near.similarity, new)
        edges.append(_edges(member_positions, a, b, on, similar))
        comparisons, unfinished = comparisons + compared, unfinished + left
    candidates = np.unique(np.concatenate(list(members.values()))).size
    return Matches(pa.concat_tables(edges), positions.size, candidates, comparisons, unfinished)


def _edges(positions: I64, a: I64, b: I64, on: str, similarity: F64) -> pa.Table:
    one, other = positions[a], positions[b]
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((high, low))
    columns = [low[order], high[order], np.full(order.size, on, object), similarity[order]]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, EDGES, strict=True)], schema=EDGES)


def _shared_buckets(band: U32, fresh: int) -> tuple[U32, I64]:
    """The rows that share a band's value with others, at least one of which is among the first `fresh`.

    Returns:
        Row numbers, sorted within each bucket; and where each bucket begins, shape (buckets + 1,).
    """
    packed = (band.astype(np.uint64) << _S32) | np.arange(band.size, dtype=np.uint64)
    packed = np.sort(packed[band != signatures.NO_SIGNATURE])
    begins = np.flatnonzero(np.diff(packed >> _S32, prepend=np.uint64(signatures.NO_SIGNATURE)))
    sizes, rows = np.diff(begins, append=packed.size), packed.astype(np.uint32)
    chosen = (sizes > 1) & (rows[begins] < fresh)
    return rows[np.repeat(chosen, sizes)], np.append(0, np.cumsum(sizes[chosen]))


def _link_buckets(
    buckets: Sequence[tuple[I64, I64]], sets: Sets, set_numbers: I64, similarity: float, fresh: int
) -> tuple[I64, I64, F64, int, int]:
    """Links the first `fresh` rows with each other and with the rest, band by band.

    Row i has the set with the number set_numbers[i].

    Returns:
        The two rows of each edge and their similarity, shape (edges,); how many pairs were compared; and how many
        buckets were left unfinished.
    """
    parent, stamps = np.arange(set_numbers.size), np.full(set_numbers.size, -1)
    a, b, similar = (
        np.empty(set_numbers.size, np.int64),
        np.empty(set_numbers.size, np.int64),
        np.empty(set_numbers.size),
    )
    edges = comparisons = unfinished = 0
    for members, begins in buckets:
        stamps[:] = -1
        edges, compared, left = _link(
            members,
            begins,
            set_numbers,
            sets.values,
            sets.offsets,
            similarity,
            fresh,
            COMPARISONS_A_BUCKET,
            parent,
            stamps,
            a,
            b,
            similar,
            edges,
        )
        comparisons, unfinished = comparisons + compared, unfinished + left
    return a[:edges], b[:edges], similar[:edges], comparisons, unfinished


@njit(cache=True, nogil=True)
def _link(
    members: I64,
    begins: I64,
    set_numbers: I64,
    values: Numbers,
    offsets: I64,
    similarity: float,
    fresh: int,
    limit: int,
    parent: I64,
    stamps: I64,
    a: I64,
    b: I64,
    similar: F64,
    edges: int,
) -> tuple[int, int, int]:
    """Links the rows of one band's buckets; `edges` is the number of edges so far.

    Twenty times as fast as the same loop in Python, which takes 40 us a pair: a large bucket has millions.

    Returns:
        The number of edges now, how many pairs were compared, and how many buckets were left unfinished.
    """
    comparisons, unfinished = 0, 0
    for bucket in range(begins.size - 1):
        begin, end = begins[bucket], begins[bucket + 1]
        groups = 0
        for at in range(begin, end):
            root = find(parent, members[at])
            if stamps[root] != bucket:
                stamps[root] = bucket
                groups += 1
        seen = 0
        for at in range(begin, end - 1):
            if groups == 1 or members[at] >= fresh:
                break
            seen += end - at - 1
            if seen > limit and at > begin:
                unfinished += 1
                break
            one = np.int64(members[at])
            for then in range(at + 1, end):
                other = np.int64(members[then])
                if find(parent, one) == find(parent, other):
                    continue
                comparisons += 1
                shared = jaccard(values, offsets, set_numbers[one], set_numbers[other], similarity)
                if shared >= 0:
                    unite(parent, one, other)
                    a[edges], b[edges], similar[edges] = one, other, shared
                    edges += 1
                    groups -= 1
    return edges, comparisons, unfinished
