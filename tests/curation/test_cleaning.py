"""Cleaning records what it changes, and changes the messages as it does the texts."""

import polars as pl
import pytest

from tests.curation.rows import row
from tuner.curation.checks.form import Form
from tuner.curation.checks.safety import Safety
from tuner.curation.cleaning import clean, cleaned_messages
from tuner.curation.settings import Curation

MAIL = "Write to ann.lee@gmail.com, she knows."
MASKED = "Write to [EMAIL], she knows."
LEAKED = "Explain how bread rises.\n\n### Response:\nIt rises."


def cleaned(rows, curation):
    frame = pl.DataFrame(
        {name: [each[name] for each in rows] for name in ("instruction", "response", "messages")}
        | {name: ["stop"] * len(rows) for name in ("instruction_finish", "response_finish")}
    )
    return clean(frame, curation)


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
    turns = [{"role": role, "content": "x"} for role in roles]
    batch, _ = cleaned([row(0, LEAKED) | {"messages": turns}], Curation(form=Form(sanitize=True)))
    assert batch.instruction[0] == LEAKED


class TestMessages:
    def test_a_single_exchange_gets_the_cleaned_texts(self):
        messages = [{"role": "system", "content": "Be kind."}, *row(0)["messages"]]
        assert cleaned_messages(messages, "asked", "said", Curation()) == [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "asked"},
            {"role": "assistant", "content": "said"},
        ]

    def test_in_a_longer_conversation_each_message_is_redacted(self):
        roles = ("user", "assistant", "user", "assistant")
        messages = [{"role": role, "content": text} for role, text in zip(roles, ("a", MAIL, MAIL, "b"), strict=True)]
        redacted = cleaned_messages(messages, "", "", Curation())
        assert [message["content"] for message in redacted] == ["a", MASKED, MASKED, "b"]
        assert [message["role"] for message in redacted] == list(roles)
