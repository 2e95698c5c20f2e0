"""Cleaning records what it changes, and changes the messages as it does the texts."""

import polars as pl
import pytest

from tests.curation.rows import row
from tuner.curation.checks.form import Form
from tuner.curation.checks.safety import Safety
from tuner.curation.cleaning import clean, mask_beside
from tuner.curation.settings import Curation

MAIL = "Write to ann.lee@gmail.com, she knows."
MASKED = "Write to [EMAIL], she knows."
LEAKED = "Explain how bread rises.\n\n### Response:\nIt rises."


def cleaned(rows, curation, **beside):
    frame = pl.DataFrame(
        {"messages": [each["messages"] for each in rows], **beside}
        | {name: ["stop"] * len(rows) for name in ("instruction_finish", "response_finish")}
    )
    return clean(frame, curation, tuple(beside))


def conversation(*texts, roles=("user", "assistant")):
    """A row whose messages have these texts, by these roles in turn."""
    turns = [{"role": roles[at % len(roles)], "content": text} for at, text in enumerate(texts)]
    return row(0, messages=turns)


def test_redacted_rows_are_flagged_and_unchanged_texts_are_null():
    batch, findings = cleaned([row(0), row(1, response=MAIL)], Curation())
    assert batch.response.to_list() == [row(0)["response"], MASKED]
    assert findings.reasons["personal_data"].tolist() == [False, True]
    assert findings.scores["cleaned_response"].to_list() == [None, MASKED]
    assert findings.scores["cleaned_instruction"].to_list() == [None, None]


@pytest.mark.parametrize("action", ["drop", "mark", "leave"])
def test_texts_stay_where_nothing_is_redacted(action):
    batch, findings = cleaned([row(0, response=MAIL)], Curation(safety=Safety(personal_data=action)))
    assert batch.response.to_list() == [MAIL]
    assert not findings.reasons


def test_sanitizing_records_what_it_cut():
    batch, findings = cleaned([row(0, LEAKED), row(1)], Curation(form=Form(sanitize=True)))
    assert batch.instruction[0] == "Explain how bread rises."
    assert batch.instruction[0] + findings.scores["sanitized_off"][0] == LEAKED
    assert findings.scores["sanitized_off"][1] is None


@pytest.mark.parametrize("roles", [("user", "assistant", "user", "assistant"), ("user", "user", "assistant")])
def test_a_conversation_of_several_turns_is_not_cut(roles):
    batch, _ = cleaned([conversation(*[LEAKED] * len(roles), roles=roles)], Curation(form=Form(sanitize=True)))
    assert set(batch.messages.texts) == {LEAKED}


def test_an_exchange_under_a_system_turn_is_cut():
    rows = [conversation("Be kind.", LEAKED, "It rises.", roles=("system", "user", "assistant"))]
    batch, _ = cleaned(rows, Curation(form=Form(sanitize=True)))
    assert batch.messages.texts.to_list() == ["Be kind.", "Explain how bread rises.", "It rises."]


class TestMessages:
    ROLES = ("system", "user", "assistant", "tool", "assistant")

    @pytest.mark.parametrize("place", range(len(ROLES)))
    def test_every_role_is_redacted_and_the_texts_follow(self, place):
        texts = [MAIL if at == place else "Bread rises." for at in range(len(self.ROLES))]
        batch, findings = cleaned([conversation(*texts, roles=self.ROLES), row(1)], Curation())
        masked = [MASKED if text == MAIL else text for text in texts]
        assert findings.reasons["personal_data"].tolist() == [True, False]
        assert findings.scores["cleaned_contents"].to_list() == [masked, None]
        assert batch.instruction[0] == masked[1]
        assert batch.response[0] == f"{masked[2]}\n\n{masked[4]}"
        assert findings.scores["cleaned_response"][0] == (batch.response[0] if place in (2, 4) else None)

    def test_what_only_the_join_makes_is_not_masked(self):
        rows = [conversation("My number is +49 30", "Go on.", "901820 is the rest.", "Thank you.")]
        batch, findings = cleaned(rows, Curation())
        assert not findings.reasons["personal_data"].any()
        assert batch.instruction[0] == "My number is +49 30\n\n901820 is the rest."


class TestBeside:
    @pytest.mark.parametrize(("action", "flagged"), [("redact", True), ("drop", False)])
    def test_columns_beside_are_masked_and_named(self, action, flagged):
        safety = Safety(personal_data=action)
        notes = [MAIL, None, "none"]
        _, findings = cleaned([row(0), row(1), row(2)], Curation(safety=safety), note=notes, source=[""] * 3)
        assert findings.scores["masked_columns"].to_list() == [["note"], None, None]
        assert findings.reasons.get("personal_data", [False])[0] == flagged
        assert mask_beside(pl.Series(notes), safety).to_list() == [MASKED, None, "none"]

    @pytest.mark.parametrize("action", ["mark", "leave"])
    def test_columns_beside_stay_where_nothing_is_masked(self, action):
        safety = Safety(personal_data=action)
        _, findings = cleaned([row(0)], Curation(safety=safety), note=[MAIL])
        assert findings.scores["masked_columns"].to_list() == [None]
        assert mask_beside(pl.Series([MAIL]), safety).to_list() == [MAIL]
