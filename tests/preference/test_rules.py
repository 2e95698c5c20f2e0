"""Rules that need no model."""

import pytest

from tuner.curation.settings import Curation
from tuner.preference.prompts import Prompt
from tuner.preference.rules import RULES, apply

ASKED = "Why do leaves change their colour in autumn?"
GOOD = (
    "In autumn the days grow short and cold, so the tree takes the green chlorophyll back out of its leaves. "
    "The yellow and red colours that were hidden under it then become visible."
)


def prompt(text: str = ASKED) -> Prompt:
    return Prompt("1", [{"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ("form", "Trees are not my field: I can't help with it, but a book about trees will surely have the answer."),
        ("form", "There are several reasons why the leaves of a tree change their colour in the autumn:"),
        ("repetition", "The leaves are red and gold. " * 12),
        ("safety", f"{GOOD} Ask j.miller@treehouse.org or call +1 212 555 0147."),
        ("language", "Im Herbst werden die Tage kürzer, und der Baum zieht das Blattgrün aus den Blättern zurück."),
        ("asked_length", GOOD),
        ("asked_format", GOOD),
    ],
)
def test_an_answer_that_breaks_a_rule_is_told_from_one_that_follows_all(rule, answer):
    wanted = {"asked_length": "Explain autumn in one sentence.", "asked_format": "Explain autumn in bullet points."}
    good = {"asked_length": "Leaves lose their green.", "asked_format": "- short days\n- no green"}
    asks = prompt(wanted.get(rule, ASKED))
    curation = Curation.model_validate({"safety": {"personal_data": "drop"}})
    scores, followed = apply([rule], [asks, asks], [answer, good.get(rule, GOOD)], curation)
    assert scores == [0.0, 1.0]
    assert followed == {rule: (1, 2)}


def test_the_score_is_the_share_of_the_rules_that_apply():
    answers = [GOOD, "Trees are not my field: I can't help with it, but a book about trees will surely help you."]
    scores, followed = apply(list(RULES), [prompt(), prompt()], answers, Curation())
    # `asked_length` and `asked_format` do not apply: the instruction asks for neither.
    assert scores == [1.0, 0.75]
    assert followed["form"] == (1, 2) and followed["asked_length"] == (0, 0)


def test_a_request_for_a_translation_may_be_answered_in_another_language():
    asks = prompt("Translate into German: the days grow short and the leaves turn red.")
    scores, _ = apply(["language"], [asks], ["Die Tage werden kürzer und die Blätter färben sich rot."], Curation())
    assert scores == [None]


def test_what_curation_only_marks_breaks_no_rule():
    answer = "There are several reasons why the leaves of a tree change their colour in the autumn:"
    lenient = Curation.model_validate({"ignore": ["unfinished_response"]})
    assert apply(["form"], [prompt()], [answer], Curation())[0] == [0.0]
    assert apply(["form"], [prompt()], [answer], lenient)[0] == [1.0]


def test_there_may_be_nothing_to_score():
    assert apply(["form", "language"], [], [], Curation()) == ([], {"form": (0, 0), "language": (0, 0)})
