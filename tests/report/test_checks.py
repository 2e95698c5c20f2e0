"""What the page says in words of the checks, of diversity and of the split."""

import pytest

from tests.hollow import hollow
from tuner.curation.metrics import Curated, Diversity
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report import checks, variety
from tuner.report.wording import plain
from tuner.splitting.metrics import Divided, Overlap

from .curated_rows import metrics, rows, table

FOUND = metrics(table(rows()))
NONE = hollow(Curated, reasons=dict.fromkeys(REASONS, 0), marks=dict.fromkeys(REASONS, 0))


def test_the_funnel_ends_in_what_was_kept_and_leaves_out_what_took_nothing():
    lines = checks.funnel(FOUND)
    assert lines[-1]["left"] == "68"
    assert sum(int(line["first"]) for line in lines) == 28
    assert [line["reason"] for line in lines] == [plain(name) for name, taken in FOUND.reasons.items() if taken]


def test_every_reason_is_found_or_marked_or_idle_or_off():
    curation = Curation()
    found = set(checks.meanings(FOUND))
    off = {plain(reason) for reason in curation.off()}
    idle = checks.idle(FOUND, curation)
    for reason in map(plain, REASONS):
        assert (reason in found) + (reason in off) + (reason in _listed(idle)) == 1, reason


def _listed(sentence):
    return (
        sentence.removeprefix("Looked for and found in no row: ").removesuffix(".").replace(" and ", ", ").split(", ")
    )


def test_marks_are_said_apart_from_what_rejects():
    marking = Curation.model_validate({"safety": {"personal_data": "mark"}})
    assert checks.marks(FOUND, marking) == "Marked and not rejected for it: personal data (10 rows)."
    assert checks.masked(FOUND, marking) == ""
    assert checks.marks(NONE, marking) == ""


def test_what_is_masked_is_not_called_marked():
    assert checks.masked(FOUND, Curation()) == "Masked in the texts, and not rejected for it: personal data in 10 rows."
    assert checks.marks(FOUND, Curation()) == ""
    assert checks.masked(NONE, Curation()) == ""


def test_a_check_that_is_off_is_not_called_idle():
    off = Curation.model_validate(
        {"repetition": {"gopher": False}, "language": None, "safety": {"toxicity": "leave"}, "quality": {"top_k": 3}}
    )
    said = checks.off(off)
    assert "repeated lines, frequent ngram and repeated ngrams (repetition.gopher is false)" in said
    assert "wrong language (language is null)" in said
    assert "below target" not in said
    assert "toxic" not in _listed(checks.idle(NONE, off))


def test_the_browser_offers_what_any_row_has_with_how_many():
    assert {"value": "near duplicate", "text": "near duplicate (2)"} in checks.options(FOUND.reasons)
    assert "refusal" not in {option["value"] for option in checks.options(FOUND.reasons)}
    assert checks.options(FOUND.marks) == [{"value": "personal data", "text": "personal data (10)"}]


def test_diversity_says_what_was_measured_and_leaves_out_the_rest():
    assert [(name, value) for name, value, _ in variety.diversity(FOUND.diversity)] == [
        ("distinct-1", "0.214"),
        ("distinct-2", "0.401"),
        ("distinct-3", "0.500"),
        ("compression ratio", "4.12"),
        ("distance to the nearest, median", "0.125"),
        ("distance to the nearest, mean", "0.131"),
    ]
    little = hollow(Diversity, kept=1, sample=1, distinct_1=1.0)
    assert [name for name, _, _ in variety.diversity(little)] == ["distinct-1"]
    assert variety.diversity(NONE.diversity) == variety.openings(NONE.diversity) == []


def test_a_sample_is_called_one():
    assert variety.sampled(FOUND.diversity) == "Measured on all 68 kept instructions."
    part = hollow(Diversity, kept=500_000, sample=20_000)
    assert variety.sampled(part) == "Measured on 20,000 of the 500,000 kept instructions."


def test_the_bar_of_the_most_frequent_opening_is_whole():
    assert [(line["opening"], line["part"]) for line in variety.openings(FOUND.diversity)] == [
        ("test instruction", "1.000"),
        ("a lonely", "0.015"),
    ]


def split(exact=0, near=0, **counts):
    check = Overlap(exact_overlap=exact, near_overlap=near, similarity=0.5, ngram=5, pairs_compared=1234)
    return hollow(Divided, check=check, **counts)


def test_a_split_that_does_not_leak_is_proved():
    said = variety.divided(split(train=900, validation=100, left_out=3, former_rows=1))
    assert said[:3] == [
        "900 rows to train on, 100 rows held out.",
        "3 rows left out of both sides: near to rows of the other side.",
        "On the side that the former split gave them: 1 row.",
    ]
    assert "no held-out row equals one" in said[3] and "1,234 pairs shared enough to be compared" in said[3]


@pytest.mark.parametrize(("exact", "near"), [(2, 0), (0, 1)])
def test_a_split_that_leaks_is_called_one(exact, near):
    leaking = split(exact, near, train=9, validation=3)
    assert variety.divided(leaking)[-1].startswith("The sides leak.")
    assert variety.leaks(leaking) == exact + near
