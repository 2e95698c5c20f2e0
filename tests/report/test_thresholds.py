"""Histograms of the scores, with their limits and the sentences on what the limits rejected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.settings import Curation
from tuner.report import curated, histograms, thresholds

from .curated_rows import metrics, rows, table, write

SHARES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=50)
WORDS = st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), max_size=50)


def arrays(pairs):
    return np.array([value for value, _ in pairs], float), np.array([kept for _, kept in pairs], bool)


@given(SHARES, st.floats(0, 1), st.floats(0, 1))
def test_a_linear_histogram_counts_every_row_once(pairs, limit, high):
    values, kept = arrays(pairs)
    histogram = histograms.linear(values, kept, 0.0, high, [limit])
    assert (histogram.kept.sum(), histogram.rejected.sum()) == (kept.sum(), (~kept).sum())
    assert (np.diff(histogram.edges) > 0).all()
    assert histogram.edges[0] <= limit <= histogram.edges[-1]


@given(st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.7, 0.95]))
def test_a_bar_begins_at_the_limit_and_includes_values_on_it(limit):
    values = np.array([limit, limit - 1e-9])
    histogram = histograms.linear(values, np.array([True, False]), 0.0, 1.0, [limit])
    bar = int(np.flatnonzero(histogram.edges == limit)[0])
    assert (histogram.kept[bar], histogram.rejected[bar - 1]) == (1, 1)


@given(WORDS, st.integers(0, 20), st.integers(20, 3000))
def test_a_logarithmic_histogram_counts_every_row_once_and_separates_the_sides_of_a_limit(pairs, fewest, most):
    values, kept = arrays(pairs)
    histogram = histograms.logarithmic(values, kept, [fewest, most])
    assert (histogram.kept.sum(), histogram.rejected.sum()) == (kept.sum(), (~kept).sum())
    assert {max(1, fewest) - 0.5, most + 0.5} <= set(histogram.edges)


@pytest.fixture
def scored(tmp_path):
    """A function that returns the scores drawn for some rows, by key, and the sentences on those that are not."""

    def make(changed_rows=None, without=(), **curation):
        made = table(changed_rows or rows(), without)
        read = curated.read(write(made, tmp_path / str(len(list(tmp_path.iterdir())))))
        drawn, missing = thresholds.scores(read, metrics(made), Curation.model_validate(curation))
        return {score.key: score for score in drawn}, missing

    return make


def changed(**columns):
    return [row | columns for row in rows()]


def test_all_scores_with_values_are_drawn(scored):
    drawn, missing = scored()
    assert {key.removeprefix("near_") for key in drawn} == set(curated.SCORES)
    assert missing == ("Similarity of semantic duplicates: not searched for, since duplicates.semantic is null.",)


def test_a_threshold_that_rejected_nothing_is_reported(scored):
    kept = [row | {"reasons": [reason for reason in row["reasons"] if reason != "low_quality"]} for row in rows()]
    drawn, _ = scored([row | {"quality": 0.75 if row["shard"] else 0.625} for row in kept], quality={"minimum": 0.5})
    assert drawn["quality"].words == "The threshold rejected no row. The lowest score is 0.625."
    assert drawn["gopher_top_ngram"].words == "The threshold rejected no row."
    assert [(limit.value, limit.text) for limit in drawn["quality"].limits] == [(0.5, "least 0.5")]


def test_a_threshold_is_reported_with_the_rows_it_rejected(scored):
    drawn, _ = scored()
    assert drawn["repetition_ratio"].words == "The threshold rejected 3 rows (3.12 %)."
    assert (
        drawn["instruction_words"].words == "The lower bound rejected 4 rows (4.17 %). The upper bound rejected no row."
    )


def test_an_ignored_reason_is_reported_as_marked(scored):
    ignoring = [
        row | {"reasons": [], "marks": ["repeated_word"]} if "repeated_word" in row["reasons"] else row
        for row in rows()
    ]
    drawn, _ = scored(ignoring, ignore=["repeated_word"])
    assert drawn["repetition_ratio"].words == (
        "The threshold marked 3 rows and rejected none, since the recipe ignores it."
    )


def test_empty_texts_are_counted_and_not_drawn(scored):
    drawn, _ = scored([row | {"instruction_words": 0} if row["index"] < 2 else row for row in rows()])
    score = drawn["instruction_words"]
    assert score.words.endswith("8 empty, not shown.")
    assert score.histogram.kept.sum() + score.histogram.rejected.sum() == 96 - 8


def test_ratios_beyond_the_axis_are_counted_in_its_last_bar(scored):
    drawn, _ = scored(changed(gopher_lines=9.0))
    assert drawn["gopher_lines"].words == "The threshold rejected no row. The last bar includes 96 above 3."
    assert drawn["gopher_lines"].histogram.edges[-1] == 3.0
    assert (drawn["gopher_lines"].histogram.kept[-1], drawn["gopher_lines"].histogram.rejected[-1]) == (68, 28)


def test_no_repetition_is_reported_and_not_drawn(scored):
    drawn, missing = scored(changed(gopher_lines=0.0))
    assert "gopher_lines" not in drawn
    assert "Repeated lines (Gopher): no repetition in the 96 rows measured." in missing


def test_languages_are_named_with_their_shares(scored):
    drawn, _ = scored([row | {"language": "de" if row["shard"] == 3 else "en"} for row in rows()])
    assert drawn["language_confidence"].words == (
        "Wanted: en. The check rejected no row. Detected: en 75.0 %, de 25.0 %."
    )


def test_near_duplicates_below_the_limit_are_explained(scored):
    drawn, _ = scored()
    assert drawn["near_similarity"].words == (
        "2 rows lost to a better one. Compared: the instructions and both texts as one; the larger similarity counts. "
        "1 row below the threshold: linked to the better one through other rows."
    )
    assert drawn["near_similarity"].histogram.rejected.sum() == 2


def test_exact_duplicates_are_not_shown_as_near_ones(scored):
    exact = [row for row in rows() if "near_duplicate" not in row["reasons"]]
    drawn, missing = scored(exact)
    assert "near_similarity" not in drawn
    assert "Similarity of near duplicates: the search found none." in missing


GOPHER = ("gopher_lines", "gopher_top_ngram", "gopher_repeated_ngrams")


def test_checks_that_are_off_are_named_with_their_setting(scored):
    drawn, missing = scored(
        without=[*GOPHER, "language", "language_confidence"],
        repetition={"gopher": False},
        language=None,
        duplicates={"near": None},
    )
    assert list(drawn) == ["instruction_words", "response_words", "repetition_ratio", "quality"]
    sentences = "\n".join(missing)
    assert sentences.count("since curation.repetition.gopher is false") == 3
    assert "Certainty of the language: not measured, since curation.language is null." in missing
    assert "Similarity of near duplicates: not searched for, since duplicates.near is null." in missing


def test_a_column_that_is_missing_or_empty_is_named(scored):
    _, missing = scored(changed(repetition_ratio=None), without=["quality"])
    assert "Quality score: the rows have no column quality." in missing
    assert "Most frequent word: no row has one." in missing
