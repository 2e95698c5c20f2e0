"""Signatures: equal texts share every band, similar ones at least one, others hardly any."""

import hashlib
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.checks.duplicates import Near
from tuner.curation.columns.words import mix, phrases, split
from tuner.curation.duplicates import signatures
from tuner.curation.duplicates.partitions import MOST, ROWS_EACH, partition_count
from tuner.curation.duplicates.signatures import (
    MOST_MISSED,
    NO_SIGNATURE,
    PERMUTATIONS,
    banding,
    columns,
    compared,
    part,
    sign,
)

compiled = settings(deadline=None)  # the first call compiles

WORDS = st.lists(st.sampled_from([f"w{number}" for number in range(12)]), max_size=30).map(" ".join)


def bands(texts, **near):
    return sign(split(pl.Series(texts, dtype=pl.String)), Near(**near))


def pairs_of(similarity, pairs=400, size=200, seed=0):
    """Pairs of texts of single words whose sets have the Jaccard similarity asked for."""
    draw = np.random.default_rng(seed)
    shared = round(2 * size * similarity / (1 + similarity))
    texts = []
    for _ in range(pairs):
        words = draw.choice(10**9, 2 * size - shared, replace=False)
        texts.append((" ".join(map(str, words[:size])), " ".join(map(str, words[size - shared :]))))
    return texts


@compiled
@given(st.floats(0.3, 1), st.floats(0.3, 1))
def test_the_higher_the_similarity_the_more_permutations_in_a_band(one, other):
    low, high = sorted((one, other))
    assert 1 < banding(low).rows <= banding(high).rows
    assert banding(0.3).rows < banding(1.0).rows


@compiled
@given(st.floats(0.3, 1))
def test_every_permutation_is_in_one_band(similarity):
    layout = banding(similarity)
    assert layout.bands * layout.rows == PERMUTATIONS


@compiled
@given(st.floats(0.3, 1))
def test_few_pairs_at_the_threshold_are_missed(similarity):
    assert 1 - banding(similarity).probability(similarity) <= MOST_MISSED


def test_a_similarity_too_low_for_any_banding_is_refused():
    with pytest.raises(ValueError, match="too low"):
        banding(0.1)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.6, 0.8])
def test_pairs_share_bands_as_often_as_the_formula_says(similarity):
    pairs = pairs_of(similarity)
    near = {"similarity": max(0.3, similarity), "ngram": 1}
    one, other = bands([pair[0] for pair in pairs], **near), bands([pair[1] for pair in pairs], **near)
    share = (one == other).mean()
    expected = similarity ** banding(near["similarity"]).rows
    assert abs(share - expected) < 0.02
    assert (one == other).any(axis=1).mean() > 0.96


def test_texts_that_share_nothing_share_no_band():
    texts = [text for pair in pairs_of(0.0, pairs=500) for text in pair]
    signed = bands(texts, ngram=1)
    assert sum(signed.shape[0] - np.unique(signed[:, band]).size for band in range(signed.shape[1])) == 0


def test_only_a_text_without_words_has_no_signature():
    signed = bands(["", "word", "   ", "a b c d e f"])
    assert (signed[[0, 2]] == NO_SIGNATURE).all()
    assert (signed[[1, 3]] != NO_SIGNATURE).all()


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.65, 0.9])
def test_a_band_holds_the_least_phrases_under_its_permutations(similarity):
    """The definition, in Python integers."""
    near = Near(ngram=3, similarity=similarity)
    words = split(pl.Series(["explain how bread rises in the oven", "how"]))
    hashes, offsets = phrases(words, near.ngram)
    layout = banding(similarity)
    expected = []
    for begin, end in pairwise(offsets):
        least = []
        for number in range(PERMUTATIONS):
            digest = hashlib.blake2b(b"permutation %d" % number, digest_size=8).digest()
            factor, summand = int.from_bytes(digest[:4], "little") | 1, int.from_bytes(digest[4:], "little")
            least.append(min((factor * (int(value) >> 32) + summand) % 2**32 for value in hashes[begin:end]))
        row = []
        for band in range(layout.bands):
            value = band
            for one in least[band * layout.rows : (band + 1) * layout.rows]:
                value = (int(mix(np.uint64(value ^ one))) + 1) % 2**64
            row.append(max(value >> 32, 1))
        expected.append(row)
    assert sign(words, near).tolist() == expected


@compiled
@given(st.lists(WORDS, max_size=8), st.integers(1, 6))
def test_a_signature_follows_from_the_set_of_phrases_alone(texts, ngram):
    signed = bands(texts, ngram=ngram)
    alone = [bands([text], ngram=ngram)[0] for text in texts]
    assert [row.tolist() for row in signed] == [row.tolist() for row in alone]
    for text, row in zip(texts, signed, strict=True):
        if len(set(text.split())) == 1 and ngram == 1:
            assert row.tolist() == bands([text.split()[0]], ngram=1)[0].tolist()


@compiled
@given(st.lists(st.tuples(WORDS, WORDS), max_size=8), st.integers(0, 8), st.integers(0, 8))
def test_both_texts_are_compared_as_one_text(pairs, begin, end):
    begin, end = min(begin, len(pairs)), min(max(begin, end), len(pairs))
    instruction, response = (split(pl.Series([pair[side] for pair in pairs], dtype=pl.String)) for side in (0, 1))
    joined = split(pl.Series([f"{one} {other}" for one, other in pairs[begin:end]], dtype=pl.String))
    signed = compared("both", part(instruction, begin, end), part(response, begin, end))
    assert signed.hashes.tolist() == joined.hashes.tolist()
    assert signed.lengths.tolist() == joined.lengths.tolist()
    assert signed.offsets.tolist() == joined.offsets.tolist()
    assert compared("response", instruction, response) is response


@pytest.mark.parametrize("rows", [0, 3, 2050])
def test_columns_are_read_back_unchanged(rows, tmp_path):
    first = split(pl.Series([f"how do I make number {row}" for row in range(rows)], dtype=pl.String))
    second = split(pl.Series([f"take {row} eggs" for row in range(rows)], dtype=pl.String))
    near = Near(on=("instruction", "both"), similarity=0.5)
    signed = columns(first, second, near)
    assert len(signed) == len(near.on) * banding(near.similarity).bands
    path = tmp_path / "signatures.parquet"
    pl.DataFrame(signed).write_parquet(path)
    read = signatures.read([path, path], "both", [1, 3])
    expected = sign(compared("both", first, second), near)[:, [1, 3]].T
    assert read.tolist() == np.concatenate([expected, expected], axis=1).tolist()


@given(st.integers(0, 2 * MOST * ROWS_EACH))
def test_partitions_are_added_until_none_has_too_many_rows(rows):
    number = partition_count(rows)
    assert 1 <= number <= MOST
    assert number == MOST or rows <= number * ROWS_EACH
    assert number == 1 or rows > (number - 1) * ROWS_EACH
