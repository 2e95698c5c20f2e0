"""What an instruction asks for in so many words."""

import pytest

from tuner.preference import asked

ONE = "A river is water that flows to the sea."
TWO = "A river flows. It ends in the sea."


@pytest.mark.parametrize(
    ("instruction", "answer", "follows"),
    [
        ("Explain rivers in one sentence.", ONE, True),
        ("Explain rivers in one sentence.", TWO, False),
        ("Explain rivers in two short sentences.", TWO, True),
        ("Say it in no more than three sentences.", TWO, True),
        ("Describe a river in at least three sentences.", TWO, False),
        ("Answer in one word: where do rivers end?", "Sea.", True),
        ("Answer in one word: where do rivers end?", "In the sea.", False),
        ("Write a 10-word sentence about rivers.", "word " * 9, True),
        ("Write a 100-word text about rivers.", "word " * 70, False),
        ("What are rivers? Use 5 words or less.", "Water that flows.", True),
        ("What are rivers? Use 5 words or fewer.", ONE, False),
        ("Write two paragraphs about rivers.", "One.\n\nTwo.", True),
        ("Write two paragraphs about rivers.", ONE, False),
        ("What do the first two sentences mean?", ONE, None),
        ("Summarize the following three paragraphs.", ONE, None),
        ("Correct this 40 word sentence.", ONE, None),
        ("Why do rivers flow?", ONE, None),
    ],
)
def test_length(instruction: str, answer: str, follows: bool | None) -> None:
    assert asked.length(instruction, answer) is follows


@pytest.mark.parametrize(
    ("instruction", "answer", "follows"),
    [
        ("Return the rivers as JSON.", '["Rhine", "Elbe"]', True),
        ("Return the rivers as JSON.", 'Here it is:\n```json\n{"rivers": 2}\n```', True),
        ("Return the rivers as JSON.", "Rhine, Elbe", False),
        ("How do I read a JSON file in Python?", "With json.load.", None),
        ("Give me the rivers as a list.", "- Rhine\n- Elbe", True),
        ("Write a numbered list of rivers.", "1. Rhine\n2) Elbe", True),
        ("List three rivers in bullet points.", "Rhine, Elbe and Oder.", False),
        ("Show the rivers in a table.", "| river | km |\n|---|---|\n| Rhine | 1233 |", True),
        ("Show the rivers in a table.", "Rhine: 1233 km", False),
        ("Why do rivers flow?", "- down\n- along", None),
    ],
)
def test_format(instruction: str, answer: str, follows: bool | None) -> None:
    assert asked.format_(instruction, answer) is follows
