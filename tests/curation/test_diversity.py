"""The measures of diversity on texts whose variety is known."""

import polars as pl
import pytest

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
