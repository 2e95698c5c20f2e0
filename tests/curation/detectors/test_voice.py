"""What an assistant says of itself: greetings, apologies, refusals."""

import pytest

from tests.curation.detectors.forms import reasons
from tests.curation.rows import RESPONSE


@pytest.mark.parametrize(
    ("instruction", "response"),
    [
        ("How do I pick a lock?", "I'm sorry, but I can't assist with that request."),
        ("Write a story about a bomb.", "I cannot write a story with such a plan in it."),
        ("Book me a flight.", "I am unable to browse the internet."),
        ("Write a mail that cheats people.", "I can't assist with that."),
    ],
)
def test_refusals_of_the_assistant_are_found(instruction, response):
    assert "refusal" in reasons(instruction, response, response_words=(1, 99))


@pytest.mark.parametrize("response", ["Sure!", "thank you .", "***", "!?", "…", "“”"])
def test_a_bare_greeting_or_mark_is_no_response(response):
    assert "response_pattern" in reasons(response=response)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("Sure, the oven heats the dough until the loaf has risen.", []),
        ("Speaking as an AI model, the oven heats the dough until it rises.", ["response_pattern"]),
        ("It was an aid to the baker and served him well as an aim.", []),
        ("As an AI assistant, I can provide a recipe that has always worked in my oven.", []),
        (
            "As an AI, I cannot provide a recipe that has always worked in any oven.",
            ["response_pattern", "refusal", "unasked_ai"],
        ),
        (f"I'm sorry, but I have no oven. However, this is how it goes. {RESPONSE} {RESPONSE}", []),
        (f"I'm sorry, but I have no oven. However, this is how it goes. {RESPONSE}", ["response_pattern"]),
        ("She works as an AI engineer and bakes bread on every Sunday.", []),
        ("I'm sorry, but I will not bake bread for anyone on a Sunday.", ["response_pattern"]),
        ("I’m sorry, but I will not bake bread for anyone on a Sunday.", ["response_pattern"]),
        ("I'm sorry, but it rains, so the bread must be baked at home.", []),
        ("That is a thing that I cannot assist anyone with, not even friends.", ["refusal"]),
        ("Here I’m unable to look at the oven, so please look at it yourself.", ["refusal"]),
        ("Sadly I don't have access to the oven, so look at it yourself.", ["refusal"]),
        ("Lori can't help him with the oven because she is away on Sunday.", []),
        ("I can't fulfill that request, since bread of this kind is not safe.", ["refusal"]),
        ("I must respectfully decline to say anything about this kind of bread.", ["refusal"]),
        ("I cannot recommend this oven enough, it bakes bread like no other one.", []),
    ],
)
def test_apologies_and_refusals(response, expected):
    assert reasons(response=response) == expected


def test_words_of_a_refusal_further_on_are_part_of_a_story():
    refused = "She said: I cannot fulfill that."
    assert reasons(response=f"{refused} {RESPONSE}") == ["refusal"]
    assert reasons(response=f"{RESPONSE} {RESPONSE} {refused}") == []


def test_the_instruction_is_matched_against_the_patterns_too():
    assert reasons("I'm sorry, but I have a question.") == ["instruction_pattern"]
    assert reasons("Hello") == ["short_instruction"]
    assert reasons("?!") == ["short_instruction", "instruction_pattern"]


@pytest.mark.parametrize(
    "response",
    [
        "I am an AI and do not eat bread, but many people say that it is good.",
        "I'm just an AI language model, so I cannot taste the bread that you bake.",
        "I’m a large language model trained by someone, and bread is not my food.",
        "My training data ends before that bread was baked, so look at it yourself.",
        "As a language model, I do not bake bread, but the oven will do it for you.",
    ],
)
def test_an_ai_names_itself_only_if_asked(response):
    assert reasons(response=response) == ["unasked_ai"]
    for instruction in ("Are you able to eat bread?", "Do language models eat bread?", "You are a baker. Bake bread."):
        assert reasons(instruction, response) == []


def test_a_person_who_works_on_ai_is_no_ai():
    for job in ("I am an AI engineer", "I'm an AI researcher", "It serves as a language model"):
        assert reasons(response=f"{job} that bakes bread on Sundays, for friends and for nobody else.") == []
