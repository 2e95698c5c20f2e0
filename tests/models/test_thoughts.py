"""Thoughts are told from the answer, whoever begins them."""

import pytest

from tuner.models import thoughts
from tuner.models.thoughts import MARKERS, Said, split


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
def test_thoughts_that_the_model_begins(opening: str, closing: str) -> None:
    assert split(f"\n{opening}\nFirst,\nthen.{closing}\n\nThe answer.") == Said("First,\nthen.", "The answer.")


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
def test_thoughts_that_the_prompt_begins(opening: str, closing: str) -> None:
    prompt = f"<|assistant|>{opening}\n"
    assert split(f"First, then.{closing}The answer.", prompt) == Said("First, then.", "The answer.")
    assert split(f"{opening}First, then.{closing}The answer.", prompt) == Said("First, then.", "The answer.")


def test_thoughts_that_do_not_end_have_no_answer() -> None:
    assert split("<think>On and on") == Said("On and on", "")
    assert split("On and on", "<think>\n") == Said("On and on", "")


def test_empty_thoughts_are_none() -> None:
    assert split("<think>\n\n</think>\n\nYes.") == Said("", "Yes.")
    assert split("</think>\n\nYes.") == Said("", "Yes.")


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
def test_thoughts_that_a_prompt_began_which_is_not_known(opening: str, closing: str) -> None:
    assert split(f"First,\nthen.\n{closing}\n\nThe answer.") == Said("First,\nthen.", "The answer.")
    assert split(f"First, then.{closing}") == Said("First, then.", "")


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "A tag like <think> opens thoughts.",
        "It ends with </think> then.",
        "The thoughts end in `</think>`\nand the answer follows.",
        "So:\n```\n<b>\n</think>\n```\nThat is all.",
        "<b>\n<think>\n</think>\n</b>",
        "Here are my reasoning steps: first the keel, then the frames.",
    ],
)
def test_an_answer_without_thoughts_is_whole(text: str) -> None:
    assert split(text, "<|assistant|>") == Said("", text)
    assert thoughts.opened("<|assistant|><think></think>") is None
