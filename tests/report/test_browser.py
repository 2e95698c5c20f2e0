"""The sample of rows on the page includes every reason, every mark and kept rows; a row shows why it was rejected."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.report import browser, curated, why
from tuner.report.curated import Curated

from .curated_rows import HOSTILE, rows, table, write


def without_files(reasons, marks, count):
    """Curated rows without files, from the positions of each reason and mark."""
    rejected = np.unique(np.concatenate([np.zeros(0, np.int64), *map(np.array, reasons.values())])).astype(np.int64)
    kept = np.ones(count, np.bool_)
    kept[rejected] = False
    return Curated(
        files=(),
        begins=np.array([0, count]),
        kept=kept,
        beaten=np.zeros(count, np.bool_),
        scores={},
        reasons={name: np.array(positions, np.int64) for name, positions in reasons.items()},
        marks={name: np.array(positions, np.int64) for name, positions in marks.items()},
        labels={},
        members={},
    )


def test_few_rows_are_all_shown():
    assert browser.select(without_files({"toxic": [3]}, {}, browser.MOST_ROWS)) == list(range(browser.MOST_ROWS))


def test_rare_reasons_are_shown_completely_and_frequent_ones_share_the_rest(monkeypatch):
    monkeypatch.setattr(browser, "MOST_ROWS", 100)
    reasons = {"toxic": [5, 9], "refusal": list(range(100, 200)), "duplicate": list(range(200, 900))}
    selected = set(browser.select(without_files(reasons, {}, 1000)))
    shown = {name: len(selected & set(positions)) for name, positions in reasons.items()}
    assert shown == {"toxic": 2, "refusal": 32, "duplicate": 33}
    assert len(selected) == 100


POSITIONS = st.lists(st.integers(0, 299), unique=True, min_size=1).map(sorted)


@given(
    st.dictionaries(st.sampled_from(["toxic", "refusal", "duplicate", "cut_response"]), POSITIONS),
    st.dictionaries(st.sampled_from(["personal_data", "harmful_word"]), POSITIONS),
)
def test_reasons_marks_and_kept_rows_get_equal_shares(reasons, marks):
    rows = without_files(reasons, marks, 300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browser, "MOST_ROWS", 60)
        selected = browser.select(rows)
    groups = [*reasons.values(), *marks.values(), np.flatnonzero(rows.kept).tolist()]
    share = 60 // len(groups)
    for positions in groups:
        assert len(set(selected) & set(positions)) >= min(share, len(positions))
    assert selected == sorted(set(selected))
    assert len(selected) == 60


def test_rows_of_a_single_reason_fill_the_sample():
    nothing_kept = without_files({"toxic": list(range(5000))}, {}, 5000)
    assert len(browser.select(nothing_kept)) == browser.MOST_ROWS


@pytest.fixture
def shown(tmp_path):
    read = curated.read(write(table(rows()), tmp_path))
    return {row["id"]: row for row in browser.as_data(read.with_winners(range(2, 96)), [1])}


def test_a_row_has_no_empty_fields(shown):
    plain = next(row for row in shown.values() if row["verdict"] == "kept" and "marks" not in row)
    assert set(plain) <= {"id", "verdict", "quality", "instruction", "response", "why", "beside"}


def test_an_added_winner_is_labelled(shown):
    assert [row["id"] for row in shown.values() if row.get("beside")] == ["42-0-1"]


def test_a_duplicate_names_the_row_that_was_kept(shown):
    relations = {(row["twin"], row["relation"]) for row in shown.values() if "twin" in row}
    assert relations == {
        ("42-0-1", "exact duplicate"),
        ("42-0-1", "near duplicate, 0.83"),
        ("42-0-1", "near duplicate, 0.45"),
    }


def test_marks_and_findings_are_shown(shown):
    marked = [row for row in shown.values() if "marks" in row]
    assert marked and all(["personal data", "email, phone"] in row["why"] for row in marked)
    toxic = [row for row in shown.values() if "toxic" in row.get("reasons", [])]
    assert toxic and all(["terms found", "threat: made-up threat"] in row["why"] for row in toxic)


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"reasons": ["short_instruction"], "instruction_words": 2}, ["words of the instruction", "2"]),
        ({"reasons": ["long_response"], "response_words": 12_000}, ["words of the response", "12,000"]),
        (
            {"reasons": ["wrong_language"], "language": "de", "language_confidence": 0.987},
            ["language", "de, probability 0.99"],
        ),
        ({"reasons": ["repeated_word"], "repetition_ratio": 0.421}, ["most frequent word", "42.1 % of the response"]),
        ({"reasons": ["repeated_lines"], "gopher_lines": 1.5}, ["repeated lines", "1.50 times the limit"]),
        ({"reasons": ["toxic"], "toxic_terms": "slur: x"}, ["terms found", "slur: x"]),
        (
            {"reasons": ["benchmark_overlap"], "benchmark": "gsm8k 17", "benchmark_overlap": "how many apples"},
            ["shared with benchmark", "gsm8k 17: how many apples"],
        ),
        ({"marks": ["near_benchmark"], "benchmark_overlap": "how many"}, ["shared with benchmark", "how many"]),
        (
            {"reasons": ["low_quality"], "quality_length": 0.5, "quality_content": 0.25},
            ["parts of the score", "length 0.50, content 0.25"],
        ),
        ({"reasons": [], "sanitized_off": "\n\nAnswer: 4"}, ["removed from the instruction", "Answer: 4"]),
    ],
)
def test_why_a_row_was_rejected_or_marked(row, detail):
    assert why.details(row) == [detail]


@pytest.mark.parametrize("reason", ["wrong_language", "toxic", "low_quality", "repeated_lines", "benchmark_overlap"])
def test_a_missing_column_gives_no_details(reason):
    assert why.details({"reasons": [reason]}) == []


def test_a_row_without_reasons_has_no_details():
    fine = {"reasons": [], "marks": [], "instruction_words": 12, "gopher_lines": 0.3, "language": "en"}
    assert why.details(fine) == []


def test_a_score_of_zero_is_shown():
    row = {"row_id": "a", "verdict": "kept", "quality": 0.0, "instruction": "", "response": None}
    assert browser.as_data({0: row}) == [
        {"id": "a", "verdict": "kept", "quality": 0.0, "instruction": "", "response": ""}
    ]


def test_long_texts_and_details_are_cut():
    row = {"row_id": "a", "verdict": "kept", "instruction": "x" * 2000, "response": "", "sanitized_off": "y" * 10_000}
    (shown,) = browser.as_data({0: row})
    assert shown["instruction"].endswith("[…cut here, 500 more characters]")
    assert shown["why"][0][1].endswith("[…cut here, 8,500 more characters]")


def test_embedded_json_cannot_end_its_script_element():
    text = browser.embeddable([HOSTILE, "\u2028", "a & b"])
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == [HOSTILE, "\u2028", "a & b"]
