"""Repetition as the first run measured it, against its formulas row by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.repetition import Repetition
from tuner.curation.columns.text import normalised
from tuner.curation.detectors.repetition import check, measure

FEW_WORDS = st.lists(
    st.lists(st.sampled_from(["the", "of", "an", "oven", "Oven", "bread,", "été", "to"]), max_size=80).map(" ".join),
    max_size=5,
)


def found(response, **limits):
    findings = check(batch([("Explain ovens.", response)]), Repetition(**limits))
    return [name for name, flags in findings.reasons.items() if flags[0]], findings.scores["repetition_ratio"][0]


def test_only_long_uncommon_words_count():
    assert found("the the the the the of of of of oven", max_phrase_repeats=99) == ([], 0.1)
    assert found("the of the of is is is is is is", max_phrase_repeats=99) == ([], 0.0)


def test_short_responses_are_not_checked():
    assert found("oven " * 9) == ([], None)
    assert found("oven " * 10)[1] == 1


def test_a_word_may_fill_the_allowed_share_and_no_more():
    response = "ovens bake bread, ovens warm rooms, ovens need much care."
    assert found(response, max_word_share=0.3) == ([], 0.3)
    assert found(response, max_word_share=0.29) == (["repeated_word"], 0.3)


PHRASE = "Bake at home "
FILLER = "word{0} item{0} other{0} thing{0} place{0} tale{0}"


def spread(times, fillers):
    """A phrase so many times, never twice in a row, among words that do not recur."""
    names = ["".join("abcdefghij"[int(digit)] for digit in f"{number:03}") for number in range(times + fillers)]
    pieces = [FILLER.format(name) for name in names]
    return " ".join([*(PHRASE + piece for piece in pieces[:times]), *pieces[times:]])


def test_a_phrase_is_weighed_by_the_length_of_the_response():
    # 24 of 72 words in the phrase, and 24 of 672.
    assert found(spread(8, 0), max_phrase_share=0.15)[0] == ["repeated_phrase"]
    assert found(spread(8, 100), max_phrase_share=0.15)[0] == []


def test_a_phrase_that_occurs_as_often_as_is_allowed_is_not_weighed():
    assert found(spread(3, 0), max_phrase_share=0)[0] == []
    assert found(spread(4, 0), max_phrase_share=0)[0] == ["repeated_phrase"]


@pytest.mark.parametrize("lead", [0, 40, 400])
@pytest.mark.parametrize(
    "looped",
    [
        "the ferry leaves the quay. " * 12,
        "- Count the sheep at night.\n" * 12,
        "".join(f"{number}. Count the sheep again.\n" for number in range(1, 13)),
        "".join(f"Step {number}: mend the nets at dawn.\n" for number in range(1, 13)),
        "boats " * 40,
    ],
)
def test_a_loop_is_found_at_any_length(lead, looped):
    assert "repeated_phrase" in found(f"{spread(0, lead // 6)}\n{looped}")[0]


@pytest.mark.parametrize(
    "response",
    [
        "\n".join(
            ["| Port | Mon | Tue | Wed |", "|---|---|---|---|", *(f"| {p} | no | no | yes |" for p in "ABCDEFGH")]
        ),
        "\n".join(" | ".join(str(a * b) for b in range(1, 9)) for a in range(1, 9))
        + "\nThat is the table you asked for.",
        "$$ " + " + ".join(f"\\frac{{1}}{{{n}}} \\cdot \\left( x_{n} \\right)" for n in range(1, 12)) + " $$",
        "```js\n" + "for (let i = 0; i < n; i++) {\n  total += rows[i];\n}\n" * 5 + "```\nFive loops over five lists.",
        "<ul>\n" + "".join(f"<li>Item {n}</li>\n" for n in range(1, 7)) + "</ul>",
        "It is one of the first. "
        + " ".join(f"{name} is one of the {name}s." for name in ("fern", "moss", "reed", "sedge")),
    ],
)
def test_tables_formulas_code_and_function_words_are_no_loop(response):
    assert "repeated_phrase" not in found(response)[0]


def test_sums_and_code_may_recur_more_often_than_prose():
    sums = "3 * 4 = 12 nets, 12 + 2 = 14. "
    assert found(sums * 6)[0] == []
    assert "repeated_phrase" in found(sums * 8)[0]


LINES = "{} waits at the quay.\n{} is painted on the stern.\n{} leaves at noon.\n{} comes back at night.\n"


@pytest.mark.parametrize(("marks", "again"), [('""', False), ("“”", False), ("「」", False), ("__", True)])
def test_what_is_quoted_is_talked_about(marks, again):
    named = f"{marks[0]}the old grey lady of the northern sea{marks[1]}"
    assert ("repeated_phrase" in found(LINES.replace("{}", named))[0]) is again


@pytest.mark.parametrize(("name", "again"), [("医疗保", False), ("医疗保健成本", True)])
def test_a_phrase_of_characters_is_as_long_as_one_of_words(name, again):
    lines = ("上涨让家庭担心", "影响穷人", "取决于政府", "问题由来已久", "研究刚刚开始", "改革需要耐心")
    text = "。".join(f"{name}{line}" for line in lines)
    assert ("repeated_phrase" in found(text, max_phrase_share=0.15)[0]) is again


def test_a_row_without_an_instruction_has_a_ratio_but_no_reason():
    findings = check(batch([("", "oven " * 20)]), Repetition())
    assert not any(flags.any() for flags in findings.reasons.values())
    assert findings.scores["repetition_ratio"].to_list() == [1.0]


@given(st.one_of(FEW_WORDS.map(lambda texts: [("x", text) for text in texts]), PAIRS))
def test_every_row_is_measured_as_the_formulas_have_it(pairs):
    rows = batch(pairs)
    limits = Repetition(max_word_share=0.25, max_phrase_repeats=2, max_phrase_share=0)
    findings = check(rows, limits)
    ratios = [reference.repetition_ratio(response) for _, response in pairs]
    repeats = [reference.phrase_repeats(response) for _, response in pairs]
    assert findings.scores["repetition_ratio"].to_list() == ratios
    assert measure(rows.response_words)[1].tolist() == repeats
    word = [whole and (ratio or 0) > limits.max_word_share for whole, ratio in zip(rows.whole, ratios, strict=True)]
    phrase = [whole and number > limits.max_phrase_repeats for whole, number in zip(rows.whole, repeats, strict=True)]
    assert findings.reasons["repeated_word"].tolist() == word
    assert findings.reasons["repeated_phrase"].tolist() == phrase


@given(PAIRS, PAIRS)
def test_other_rows_do_not_matter(some, others):
    alone, among = (check(batch(pairs), Repetition()) for pairs in (some, [*others, *some]))
    for name, flags in alone.reasons.items():
        assert np.array_equal(flags, among.reasons[name][len(others) :])
    assert alone.scores["repetition_ratio"].to_list() == among.scores["repetition_ratio"].to_list()[len(others) :]


def test_a_response_of_megabytes_is_counted():
    rows = batch([("x", "bread rises slowly " * 100_000), ("x", "one two three four five six seven eight nine ten")])
    share, repeats, _ = measure(rows.response_words)
    assert share.tolist() == pytest.approx([1 / 3, 0.1])
    assert repeats.tolist() == [100_000, 1]
    assert normalised(rows.response)[1].startswith("one")
