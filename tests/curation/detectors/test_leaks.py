"""Templates, turns and solutions that leak into a text, and where an instruction is cut."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation.detectors.forms import INSTRUCTIONS, instruction_reasons, reasons
from tests.curation.rows import RESPONSE
from tuner.curation.detectors.form import sanitize

LEAKS = [
    "Hello<|im_end|>",
    "<|im_start|>user\nHello",
    "<|begin_of_text|>What is it?",
    "What is it?<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "<|user|>\nWhat?",
    "<|START_OF_TURN_TOKEN|>",
    "What?<｜Assistant｜>",
    "<｜begin▁of▁sentence｜>What?",
    "[INST] What is it? [/INST]",
    "<<SYS>> Be good. <</SYS>>",
    "What is it?</s>",
    "<start_of_turn>user\nWhat?<end_of_turn>",
    "[TOOL_CALLS] now",
    "### Instruction:\nWrite a poem.",
    "Write a poem.\n\n### Response:\nRoses",
    "### Human: What is it?",
    "What is it?\nAssistant: It is a cat.",
    "Human: What is it?",
    "HUMAN: What is it?\nASSISTANT: A cat.",
    "**Assistant:** It is a cat.",
    "It is a cat.\n\nUser: And this?",
    "What is it?\nassistant\nIt is a cat.",
    "What is it?assistant\n\nIt is a cat.",
    "What is it?model\nIt is a cat.",
]


def test_an_answer_to_be_graded_is_not_cut_off():
    texts = pl.Series(["Grade this answer.\n\nWhat is 2 + 5?\nAnswer: 8", "What is 2 + 5?\n\nAnswer: 7"])
    assert sanitize(texts)[0].to_list() == [texts[0], "What is 2 + 5?"]


def test_tokens_and_turns_of_templates_are_leaks():
    assert [text for text, names in instruction_reasons(LEAKS).items() if "leaked_template" not in names] == []


@pytest.mark.parametrize(
    "leak",
    [
        "\nuser\nAnd why?",
        "\nuser\n",
        "\nsystem\n\nuser\nWhy?",
        "<|im_end|>",
        " [/INST]",
        "</s>",
        "\nHuman: And now?",
        "\n\nUser: And now?",
        "\n\n### Response:\nIt",
    ],
)
def test_a_response_may_not_leak_either(leak):
    assert reasons(response=RESPONSE + leak) == ["leaked_template"]


@pytest.mark.parametrize(
    "roles", ["\nuser\nadmin", "\nThe one who logs in is the\nuser\nOf the system.", "\nuser: root"]
)
def test_a_role_on_its_own_line_may_be_a_word_of_a_list(roles):
    assert reasons(response=RESPONSE + roles) == []


def test_an_instruction_about_a_dialogue_may_get_turns():
    talk = f"User: Why does bread rise?\n\nAssistant: {RESPONSE}"
    assert reasons("Write a dialogue about how bread rises.", talk) == []
    assert reasons(response=talk) == ["leaked_template"]


SANITIZED = [
    ("What is 2 + 2?\n\n## Step 1: Add\n4", "What is 2 + 2?"),
    ("What is 2 + 2?\n### Step 1\n4", "What is 2 + 2?"),
    ("How is bread baked?\n\nStep 1: Mix.", "How is bread baked?"),
    ("How is bread baked?\n \n**Step 1:** Mix.", "How is bread baked?"),
    ("Name a city.\nAnswer: Rome", "Name a city."),
    ("Name a city.\n\n**Solution:**\nRome", "Name a city."),
    ("Name a city.\n\n## Correct Answer: Rome", "Name a city."),
    ("Name a city.<|im_end|>\n<|im_start|>assistant", "Name a city."),
    ("Name a city.</s> Rome", "Name a city."),
    ("Name a city. [/INST] Rome", "Name a city."),
    ("Name a city.\n\n### Response:\nRome", "Name a city."),
    ("Name a city.\nAssistant: Rome\nAnswer: Rome", "Name a city."),
    ("Name a city.\n\nUser: Rome", "Name a city."),
    ("Name a city?assistant\n\nRome", "Name a city?"),
    ("Name a city.\nassistant\nRome", "Name a city."),
    ("Café 中文?\n\nStep 1: 中", "Café 中文?"),
    # What is left ends in a leak of its own.
    ("Name a city.\nassistant <|im_end|>", "Name a city."),
]


WHOLE = [
    *(text for kind, texts in INSTRUCTIONS.items() if kind != "an answer" for text in texts if "Answer:" not in text),
    "## Step 1: Add\n4",
    "<|im_start|>user\nName a city.",
    "Answer: Rome",
    "",
    "  \n",
]


@pytest.mark.parametrize(("text", "expected"), SANITIZED)
def test_an_instruction_is_cut_where_something_leaked_into_it(text, expected):
    cleaned, cut = sanitize(pl.Series("instruction", [text]))
    assert cleaned.to_list() == [expected]
    assert expected + cut[0] == text
    assert not {"leaked_template", "instruction_is_answer"} & set(instruction_reasons([expected])[expected])
    assert {"leaked_template", "instruction_is_answer"} & set(instruction_reasons([text])[text])


def test_an_instruction_into_which_nothing_leaked_stays():
    cleaned, cut = sanitize(pl.Series(WHOLE))
    assert cleaned.to_list() == WHOLE
    assert cut.to_list() == [None] * len(WHOLE)


def test_an_empty_column_is_sanitized():
    cleaned, cut = sanitize(pl.Series([], dtype=pl.String))
    assert (cleaned.to_list(), cut.to_list()) == ([], [])


LEAKING = st.lists(
    st.one_of(
        st.sampled_from(
            ["<|im_end|>", "</s>", "<s>", "[INST]", "assistant", "Human:", "User:", "Answer:", "### Response:",
             "## Step 1", "Step 1:", "**", "#", "?", ".", ":", "\n", "\n\n", " ", "a", "é", "conversation"]
        ),
        st.text(st.characters(codec="utf-8"), max_size=3),
    )
).map("".join)  # fmt: skip


@given(st.lists(LEAKING, max_size=6))
def test_sanitizing_again_changes_nothing_and_loses_nothing(texts):
    cleaned, cut = sanitize(pl.Series(texts, dtype=pl.String))
    again, cut_again = sanitize(cleaned)
    assert again.to_list() == cleaned.to_list()
    assert cut_again.to_list() == [None] * len(texts)
    assert [one + (other or "") for one, other in zip(cleaned, cut, strict=True)] == texts
    assert all(one for one, other in zip(cleaned, cut, strict=True) if other is not None)
    alone = [sanitize(pl.Series([text]))[0][0] for text in texts]
    assert alone == cleaned.to_list()
