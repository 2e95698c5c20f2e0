"""The clusters equal the components found by comparing every pair."""

import itertools
import random
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitting.rows import jaccard, templates
from tuner.curation.columns import ngrams
from tuner.curation.columns.text import normalise
from tuner.splitting import join
from tuner.splitting.join import components
from tuner.splitting.neighbours import first_near
from tuner.splitting.shingles import sequences_of, sets_of

NO_TEMPLATES = np.empty(0, np.uint64)


def clusters(texts, similarity=0.5, ngram=5, pieces=1):
    normal = [normalise(text) for text in texts]
    size = -(-len(normal) // pieces) or 1
    columns = [pl.Series(normal[at : at + size], dtype=pl.String) for at in range(0, len(normal), size)]
    sequences, index = sequences_of(columns, ngram)
    sets = sets_of(sequences, ngram, ngrams.templates(sequences, 8)[0])
    labels = components(sets, similarity)[index]
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def reference(texts, similarity=0.5, ngram=5):
    """The same clusters, by comparing every pair."""
    groups = [{index} for index in range(len(texts))]
    shared = templates(texts, ngram)
    for left, right in itertools.combinations(range(len(texts)), 2):
        if jaccard(texts[left], texts[right], ngram, shared) >= similarity:
            one = next(group for group in groups if left in group)
            two = next(group for group in groups if right in group)
            if one is not two:
                groups.remove(two)
                one |= two
    return {frozenset(group) for group in groups}


def templated(number, seed, words=12, slots=3, vocabulary=6):
    """Texts from a few templates with some words varied: near ones, and less near ones."""
    rng = random.Random(seed)
    templates = [[rng.choice("abcdefgh") for _ in range(rng.randint(1, words))] for _ in range(4)]
    texts = []
    for _ in range(number):
        text = list(rng.choice(templates))
        for _ in range(rng.randint(0, slots)):
            text[rng.randrange(len(text))] = f"w{rng.randrange(vocabulary)}"
        texts.append(" ".join(text[rng.randint(0, 1) :]))
    return texts


WORDS = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)
SIMILARITIES = st.sampled_from([0.3, 1 / 3, 0.4, 0.5, 0.6, 2 / 3, 0.8, 1.0])


@settings(max_examples=300)
@given(st.lists(WORDS, max_size=14), SIMILARITIES, st.integers(1, 4))
def test_clusters_of_small_texts_equal_the_reference(texts, similarity, ngram):
    assert clusters(texts, similarity, ngram) == reference(texts, similarity, ngram)


@settings(max_examples=60)
@given(st.integers(0, 10**6), SIMILARITIES, st.integers(1, 5), st.integers(1, 4))
def test_clusters_of_templates_equal_the_reference(seed, similarity, ngram, pieces):
    texts = templated(60, seed)
    assert clusters(texts, similarity, ngram, pieces) == reference(texts, similarity, ngram)


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=10), st.sampled_from([1, 3]))
def test_any_text_can_be_clustered(texts, ngram):
    assert clusters(texts, 0.5, ngram) == reference(texts, 0.5, ngram)


@pytest.mark.parametrize("entries", [1, 7, 100])
def test_the_number_of_parts_changes_nothing(entries, monkeypatch):
    texts = templated(80, 5)
    whole = clusters(texts, 0.4, 2)
    monkeypatch.setattr(join, "_ENTRIES", entries)
    assert clusters(texts, 0.4, 2) == whole == reference(texts, 0.4, 2)


def test_a_pair_that_just_reaches_the_similarity_is_near():
    # 3 of 10 words; 3 / 10 == 0.3 exactly.
    left, right = "a b c d e f", "a b c u v w x"
    assert jaccard(left, right, 1) == 0.3
    assert len(clusters([left, right], 0.3, 1)) == 1
    assert len(clusters([left, right], 0.31, 1)) == 2


def test_a_chain_is_one_cluster():
    words = [f"w{index}" for index in range(40)]
    chain = [" ".join(words[at : at + 10]) for at in range(0, 30, 2)]
    assert jaccard(chain[0], chain[-1]) == 0
    assert clusters(chain) == reference(chain) == {frozenset(range(15))}


def test_a_long_text_and_empty_ones():
    text = " ".join(f"w{index}" for index in range(200_000))
    assert clusters(["", text, " ", f"{text} end", ""]) == {frozenset({0, 2, 4}), frozenset({1, 3})}


@pytest.mark.parametrize(
    ("template", "number"),
    [
        ("write a long and quite detailed story about a brave captain of ship {}", 1),
        ("write a short story about {}", 100_000),
    ],
)
def test_100_000_variants_of_a_template_take_less_than_quadratic_time(template, number):
    sequences, _ = sequences_of([pl.Series([template.format(index) for index in range(100_000)])], 5)
    sets = sets_of(sequences, 5, NO_TEMPLATES)
    components(sets, 0.5)
    begin = time.process_time()
    assert np.unique(components(sets, 0.5)).size == number
    # Measured: 0.1 s. Comparing all 5 billion pairs takes minutes.
    assert time.process_time() - begin < 5


@settings(max_examples=60)
@given(st.integers(0, 10**6), SIMILARITIES, st.integers(1, 4))
def test_the_first_near_text_is_found(seed, similarity, ngram):
    texts = [*templated(30, seed), ""]
    sequences, set_index = sequences_of([pl.Series([normalise(text) for text in texts])], ngram)
    sets = sets_of(sequences, ngram, NO_TEMPLATES)
    others = list(dict.fromkeys(set_index[::2].tolist()))
    text_of = {int(number): text for number, text in zip(set_index, texts, strict=True)}
    positions = first_near(sets, np.arange(len(sets)), np.array(others), similarity)
    for number, position in enumerate(positions):
        near = [
            other
            for other in others
            if other == number or jaccard(text_of[number], text_of[other], ngram) >= similarity
        ]
        assert (others[position] if position >= 0 else None) == (near[0] if near else None)
