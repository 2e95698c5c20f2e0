"""The measures of diversity on texts whose variety is known."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.present import present
from tuner.curation import diversity

SAME = ["Write a story about a cat."] * 6
DIFFERENT = [
    "Write a story about a cat.",
    "Why does bread rise?",
    "Translate hello into French please",
    "List three uses of copper wire",
    "Sum the numbers from one to nine",
    "Who painted this old bridge?",
]


def measured(texts):
    return diversity.measure(pl.Series(texts, dtype=pl.String), kept=len(texts))


def test_more_variety_raises_distinct_n_and_lowers_the_compression_ratio():
    same, different = measured(SAME), measured(DIFFERENT)
    assert same.distinct_3 == pytest.approx(1 / 6, abs=0.001)
    for figure in ("distinct_1", "distinct_2", "distinct_3"):
        assert getattr(same, figure) < 0.2
        assert getattr(different, figure) > 0.9
    assert present(same.compression_ratio) > present(different.compression_ratio)


def test_distinct_n_is_different_n_grams_over_all():
    assert measured(["a b a b"]).distinct_1 == 0.5
    assert measured(["a b a b"]).distinct_2 == pytest.approx(2 / 3, abs=0.001)
    assert measured(["a b a b", "a b"]).distinct_3 == 1.0  # a text of two words is one phrase


def test_the_nearest_neighbour_is_one_minus_the_best_jaccard_of_words():
    distances = present(measured(["red green blue", "red green white", "one two three"]).nearest_neighbour)
    assert distances.model_dump() == {"median": 0.5, "mean": pytest.approx((0.5 + 0.5 + 1) / 3, abs=0.001), "of": 3}
    assert present(measured(SAME).nearest_neighbour).mean == 0


def test_openings_are_the_first_two_words_the_most_frequent_first():
    openings = measured([*SAME[:3], *DIFFERENT[1:3]]).openings
    assert openings == {"write a": 0.6, "translate hello": 0.2, "why does": 0.2}
    assert measured(["Stop"]).openings == {"stop": 1.0}


def test_a_character_of_a_script_without_blanks_is_a_word_of_an_opening():
    openings = measured(["请写一首关于海的诗。", "请写一封信。", "为什么天是蓝的?", ""]).openings
    assert openings == {"请写": 0.5, "为什": 0.25, "": 0.25}


def test_too_few_instructions_are_not_measured():
    nothing = measured([])
    assert (nothing.distinct_1, nothing.compression_ratio, nothing.nearest_neighbour) == (None, None, None)
    assert measured(["One alone"]).nearest_neighbour is None


def novelty(*distances):
    return diversity.novelsum(np.array(distances, np.float64))


def test_novelsum_weighs_distances_by_nearness():
    # The ranks are 1 (the text itself), 2 and 3, so the weights 1, 1/2 and 1/3 of 11/6.
    expected = ((0.2 / 2 + 0.5 / 3) + (0.2 / 2 + 1.0 / 3) + (0.5 / 2 + 1.0 / 3)) / 3 / (11 / 6)
    assert novelty([0, 0.2, 0.5], [0.2, 0, 1], [0.5, 1, 0]) == pytest.approx(expected)
    assert novelty([0, 0], [0, 0]) == 0
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert diversity.novelsum(1 - np.eye(4)) == pytest.approx(1 - 1 / harmonic)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_a_copy_of_a_text_lowers_novelsum_and_order_does_not_matter(texts, seed):
    dice = np.random.default_rng(seed)
    points = dice.normal(size=(texts, 5))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    order = dice.permutation(texts)
    assert diversity.novelsum(apart[np.ix_(order, order)]) == pytest.approx(diversity.novelsum(apart))
    # Texts that are all equally far apart, since a copy may also replace a text in the middle by one at the rim.
    even = 1 - np.eye(texts)
    twins = even.copy()
    one, other = dice.permutation(texts)[:2]
    twins[one, other] = twins[other, one] = 0
    assert diversity.novelsum(twins) < diversity.novelsum(even)


def test_novelsum_is_measured_on_vectors_if_there_are_some_and_else_on_words():
    on_words = present(measured(DIFFERENT).novelsum)
    assert (on_words.on, on_words.of) == ("sets of words", 6)
    assert present(measured(SAME).novelsum).value == 0
    assert 0 < present(measured([*DIFFERENT[:5], DIFFERENT[0]]).novelsum).value < on_words.value
    vectors = np.eye(6, dtype=np.float16)
    texts = pl.Series(DIFFERENT)
    embedded = present(diversity.measure(texts, 6, diversity.Embedded(vectors, "minilm of the instruction")).novelsum)
    assert embedded.on == "minilm of the instruction"
    assert embedded.value == pytest.approx(1 - 1 / (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 6), abs=1e-4)
    assert measured(["One alone"]).novelsum is None
