"""The page's sentences on the checks, the diversity and the split."""

import pytest

from tests.hollow import hollow
from tuner.curation.metrics import Curated, Diversity
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report import checks, variety
from tuner.report.wording import plain
from tuner.splitting.metrics import Overlap, SplitMetrics, TuningChecks

from .curated_rows import metrics, rows, table

METRICS = metrics(table(rows()))
EMPTY = hollow(Curated, reasons=dict.fromkeys(REASONS, 0), marks=dict.fromkeys(REASONS, 0))


def test_the_funnel_ends_with_the_kept_rows_and_skips_idle_checks():
    lines = checks.funnel(METRICS)
    assert lines[-1]["left"] == "68"
    assert sum(int(line["first"]) for line in lines) == 28
    assert [line["reason"] for line in lines] == [plain(name) for name, count in METRICS.reasons.items() if count]


def test_every_reason_occurs_or_is_idle_or_off():
    curation = Curation()
    present = set(checks.meanings(METRICS))
    off = {plain(reason) for reason in curation.off()}
    idle = checks.idle(METRICS, curation)
    for reason in map(plain, REASONS):
        assert (reason in present) + (reason in off) + (reason in _listed(idle)) == 1, reason


def _listed(sentence):
    return sentence.removeprefix("Checked and found in no row: ").removesuffix(".").replace(" and ", ", ").split(", ")


def test_marks_are_listed_apart_from_rejections():
    marking = Curation.model_validate({"safety": {"personal_data": "mark"}})
    assert checks.marks(METRICS, marking) == "Marked only, not rejected: personal data (10 rows)."
    assert checks.masked(METRICS, marking) == ""
    assert checks.marks(EMPTY, marking) == ""


def test_a_masked_reason_is_not_listed_as_marked():
    assert checks.masked(METRICS, Curation()) == "Masked in the texts instead of rejected: personal data in 10 rows."
    assert checks.marks(METRICS, Curation()) == ""
    assert checks.masked(EMPTY, Curation()) == ""


def test_a_check_that_is_off_is_not_called_idle():
    off = Curation.model_validate(
        {"repetition": {"gopher": False}, "language": None, "safety": {"toxicity": "leave"}, "quality": {"top_k": 3}}
    )
    sentence = checks.off(off)
    assert "repeated lines, frequent ngram and repeated ngrams (repetition.gopher is false)" in sentence
    assert "wrong language (language is null)" in sentence
    assert "below target" not in sentence
    assert "toxic" not in _listed(checks.idle(EMPTY, off))


def test_a_filter_offers_the_reasons_that_occur_with_their_counts():
    assert {"value": "near duplicate", "text": "near duplicate (2)"} in checks.options(METRICS.reasons)
    assert "refusal" not in {option["value"] for option in checks.options(METRICS.reasons)}
    assert checks.options(METRICS.marks) == [{"value": "personal data", "text": "personal data (10)"}]


def test_diversity_lists_the_measures_that_exist():
    assert [(name, value) for name, value, _ in variety.diversity(METRICS.diversity)] == [
        ("distinct-1", "0.214"),
        ("distinct-2", "0.401"),
        ("distinct-3", "0.500"),
        ("compression ratio", "4.12"),
        ("distance to the nearest, median", "0.125"),
        ("distance to the nearest, mean", "0.131"),
    ]
    little = hollow(Diversity, kept=1, sample=1, distinct_1=1.0)
    assert [name for name, _, _ in variety.diversity(little)] == ["distinct-1"]
    assert variety.diversity(EMPTY.diversity) == variety.openings(EMPTY.diversity) == []


def test_a_sample_is_reported_with_its_size():
    assert variety.sampled(METRICS.diversity) == "Measured on all 68 kept instructions."
    part = hollow(Diversity, kept=500_000, sample=20_000)
    assert variety.sampled(part) == "Measured on 20,000 of the 500,000 kept instructions."


def test_the_bar_of_the_most_frequent_opening_has_length_one():
    assert [(line["opening"], line["part"]) for line in variety.openings(METRICS.diversity)] == [
        ("test instruction", "1.000"),
        ("a lonely", "0.015"),
    ]


def split(exact=0, near=0, templates=0, **counts):
    check = Overlap(
        exact_overlap=exact, near_overlap=near, similarity=0.5, ngram=5, template_ngrams=templates, pairs_compared=1234
    )
    return hollow(SplitMetrics, check=check, **counts)


def test_a_split_without_leaks_is_described():
    lines = variety.split_summary(split(train=900, validation=100, left_out=3, former_rows=1))
    assert lines[:3] == [
        "900 rows for training, 100 rows held out.",
        "3 rows left out of both sides: near to rows on the other side.",
        "On the same side as in the former split: 1 row.",
    ]
    assert "no held-out row equals a training instruction" in lines[3]
    assert "1,234 pairs shared enough to be compared" in lines[3]


def test_a_tuning_side_is_described_and_checked_too():
    clean, leaking = (
        Overlap(exact_overlap=0, near_overlap=near, similarity=0.5, ngram=5, template_ngrams=0, pairs_compared=7)
        for near in (0, 2)
    )
    checks = TuningChecks(training=clean, validation=clean)
    lines = variety.split_summary(split(train=900, tuning=60, validation=40, left_out=3, tuning_checks=checks))
    assert lines[0] == "900 rows for training, 60 rows to choose by, 40 rows held out."
    assert lines[1] == "3 rows left out of all sides: near to rows on another side."
    for said in (
        "no held-out row equals a training instruction",
        "no tuning row equals a training instruction",
        "no held-out row equals a tuning instruction",
        "1,248 pairs shared enough",
    ):
        assert said in lines[-1]
    leaking = split(tuning=60, tuning_checks=TuningChecks(training=clean, validation=leaking))
    assert variety.leaks(leaking) == 2
    assert variety.split_summary(leaking)[-1].startswith("The split leaks.")
    assert "that of 2 held-out rows is near to one" in variety.split_summary(leaking)[-1]


@pytest.mark.parametrize(("templates", "phrases"), [(1, "1 phrase"), (1234, "1,234 phrases")])
def test_phrases_of_templates_are_reported(templates, phrases):
    sentence = f"Task descriptions weigh nothing: {phrases} that very many instructions share."
    assert variety.split_summary(split(templates=templates))[-1].endswith(f" {sentence}")
    assert "Task descriptions" not in variety.split_summary(split())[-1]


@pytest.mark.parametrize(("exact", "near"), [(2, 0), (0, 1)])
def test_a_leaking_split_is_reported(exact, near):
    leaking = split(exact, near, train=9, validation=3)
    assert variety.split_summary(leaking)[-1].startswith("The split leaks.")
    assert variety.leaks(leaking) == exact + near
