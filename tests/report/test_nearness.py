"""How near rejected rows were to the line, which rows are shown, and what loosens a reason."""

import pytest

from tuner.curation.reasons import CHECK_OF, LOOSENED, REASONS
from tuner.curation.settings import CHECKS, Curation
from tuner.report import curated, nearness

from .curated_rows import rows, table, write

ANSWER = (
    "The keel is laid first and carries the frames. I'm sorry, but I cannot assist with the mast. "
    "Planks are nailed on from below, and every seam is sealed with tar."
)


def setting(curation, path):
    for key in path.split("."):
        curation = getattr(curation, key)
    return curation


FULL = Curation.model_validate(
    {"balance": {"at_most": 3}, "duplicates": {"semantic": {}}, "judging": {"reward": "owner/reward"}}
)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_settings_that_loosen_it_and_that_exist(reason):
    assert LOOSENED[reason]
    for path in LOOSENED[reason]:
        setting(FULL, path)


@pytest.mark.parametrize("name", CHECKS)
def test_what_a_check_says_is_loosened_are_reasons_of_its_own(name):
    assert set(CHECKS[name].loosened) <= {reason for reason, check in CHECK_OF.items() if check == name}


@pytest.fixture
def taken(tmp_path):
    read = curated.read(write(table(rows()), tmp_path))
    return {each.reason: each for each in nearness.taken(read, Curation())}


def test_every_reason_shows_up_to_three_rows_that_it_took(taken):
    by_id = {row["row_id"]: row for row in rows()}
    counts = {reason: sum(reason in row["reasons"] for row in rows()) for reason in taken}
    assert {reason: each.rows for reason, each in taken.items()} == counts
    for reason, each in taken.items():
        assert len(each.examples) == min(3, each.rows)
        assert all(reason in by_id[row["id"]]["reasons"] for row in each.examples)


def test_rows_come_from_the_nearest_to_the_line_to_the_farthest(taken):
    by_id = {row["row_id"]: row for row in rows()}
    similar = [by_id[row["id"]]["similarity"] for row in taken["near_duplicate"].examples]
    assert similar == sorted(similar, key=lambda value: abs(value - 0.5))
    assert "the line is at 0.5" in taken["near_duplicate"].examples[0]["near"]


@pytest.mark.parametrize(
    ("row", "reason", "said"),
    [
        ({"response_words": 4}, "short_response", "words of the response: 4, the line is at"),
        ({"quality": 0.41}, "low_quality", "quality score: 0.41, the line is at 0.5"),
        ({"language": "de", "language_confidence": 0.93}, "wrong_language", "language: de, probability 0.93"),
        ({"duplicate_of": "7"}, "duplicate", "equal to row 7"),
        ({"similarity": 0.75, "duplicate_of": "7"}, "near_duplicate", "0.75, the line is at 0.5; the better row is 7"),
        ({"toxic_terms": "threat: made-up"}, "toxic", "terms found: threat: made-up"),
        ({}, "cut_response", nearness.UNMEASURED),
        (
            {"instruction": "How is a boat built?", "response": ANSWER},
            "refusal",
            'found: "I\'m sorry, but I cannot assist with the mast." in the response',
        ),
        (
            {"instruction": "How is a boat built?<|im_end|> And why?", "response": "Of wood, by hand, slowly."},
            "leaked_template",
            "in the instruction",
        ),
    ],
)
def test_the_distance_is_what_was_measured_or_what_was_found(row, reason, said):
    assert said in nearness.near([(row, reason)], Curation())[0]


def test_a_reason_that_takes_more_than_a_tenth_is_hinted_at_with_its_setting_and_value():
    curation = Curation.model_validate({"form": {"response_words": [7, 900]}})
    (hint,) = nearness.hints({"short_response": 11, "refusal": 10, "toxic": 0}, 100, curation)
    assert hint == ("short_response rejects 11 rows (11.0 %): curation.form.response_words loosens it, now [7, 900]")
    assert "curation.ignore" in nearness.hints({"refusal": 100}, 100, curation)[0]
    assert not nearness.hints({"refusal": 0}, 0, curation)
