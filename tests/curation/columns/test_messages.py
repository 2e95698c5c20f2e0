"""Conversations as columns: what follows from their messages, and how they divide into exchanges."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.form import Form
from tuner.curation.checks.repetition import Repetition
from tuner.curation.checks.safety import Safety
from tuner.curation.columns.batch import Batch
from tuner.curation.columns.messages import BLANK_LINE, Messages, with_texts

ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
ANSWER = "Lay the keel first, bend the frames, then nail the planks and seal every seam with tar."
LOOP = "Lay the keel and bend the frames and nail the planks. " * 30


def conversations(*written):
    """Rows of messages written as `role:text`, the role by its first letter."""
    pairs = [[each.partition(":")[::2] for each in row] for row in written]
    return pl.Series(
        [[{"role": ROLES[role], "content": text} for role, text in row] for row in pairs],
        dtype=pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
    )


def rows(*written):
    stop = pl.Series(["stop"] * len(written), dtype=pl.String)
    return Batch.of(Messages.read(conversations(*written)), stop, stop)


def exchanges(*written):
    each, of = rows(*written).exchanges
    return [*zip(of.tolist(), each.instruction.to_list(), each.response.to_list(), strict=True)]


def found(check, *written):
    """The reasons of each row."""
    reasons = check.find(rows(*written), {}).reasons
    return [{name for name, flags in reasons.items() if flags[row]} for row in range(len(written))]


def test_the_joined_texts_follow_from_the_messages():
    made = rows(["s:be kind", "u:a", "a:b", "u:c", "a:d"], ["a:x"], [])
    assert made.instruction.to_list() == [f"a{BLANK_LINE}c", "", ""]
    assert made.response.to_list() == [f"b{BLANK_LINE}d", "x", ""]


def test_an_exchange_is_what_the_user_said_since_the_last_answer_and_the_answer():
    assert exchanges(["u:a", "u:b", "a:c", "u:d", "a:e"], ["s:x", "u:f", "a:g"]) == [
        (0, f"a{BLANK_LINE}b", "c"),
        (0, "d", "e"),
        (1, "f", "g"),
    ]


def test_an_answer_after_a_tool_belongs_to_the_same_question():
    assert exchanges(["u:a", "a:call", "t:result", "a:b"]) == [(0, "a", "call"), (0, "a", "b")]


def test_an_answer_before_any_question_has_none_of_the_row_before():
    assert exchanges(["u:a", "a:b", "u:unanswered"], ["a:hello", "u:c", "a:d"], []) == [
        (0, "a", "b"),
        (1, "", "hello"),
        (1, "c", "d"),
    ]


@settings(max_examples=30)
@given(PAIRS)
def test_single_exchanges_are_their_own_exchanges(pairs):
    plain = batch(pairs)
    asked = [[f"u:{asked}", f"a:{said}"] for asked, said in pairs]
    for made in (plain, rows(*asked), rows(*(["s:be kind", *row] for row in asked))):
        assert made.exchanges[0] is made
        assert made.instruction.to_list() == [asked for asked, _ in pairs]
        assert made.response.to_list() == [said for _, said in pairs]


@given(st.lists(st.lists(st.sampled_from("suat"), max_size=8), max_size=6))
def test_every_answer_is_in_one_exchange_of_its_row(written):
    texts = [[f"{role}:{number}-{at}" for at, role in enumerate(row)] for number, row in enumerate(written)]
    made = exchanges(*texts)
    answers = [(number, text[2:]) for number, row in enumerate(texts) for text in row if text[0] == "a"]
    assert [(of, answer) for of, _, answer in made] == answers
    assert all(part.startswith(f"{of}-") for of, asked, _ in made if asked for part in asked.split(BLANK_LINE))


def test_messages_get_other_texts_and_keep_the_rest():
    kind = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("name", pa.string())]))
    said = [[("user", "a", "Ann"), ("assistant", "b", None)], [], [("user", "c", None)]]
    keys = ("role", "content", "name")
    column = pa.chunked_array([pa.array([[dict(zip(keys, turn, strict=True)) for turn in row] for row in said], kind)])
    changed = with_texts(column, pl.Series([0, 2]).to_numpy(), [["x", "y"], ["z"]])
    assert changed.type == kind
    assert [[turn["content"] for turn in row] for row in changed.to_pylist()] == [["x", "y"], [], ["z"]]
    assert [[turn["name"] for turn in row] for row in changed.to_pylist()] == [["Ann", None], [], [None]]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (["u:How is a boat built?", "a:", "u:A wooden one, I mean.", f"a:{ANSWER}"], "empty_response"),
        (["u:How is a boat built?", f"a:{ANSWER}", "u: \n", f"a:{ANSWER}"], "empty_instruction"),
        (["u:", "u:How is a boat built?", f"a:{ANSWER}"], "empty_instruction"),
    ],
)
def test_a_turn_of_white_space_is_found_wherever_it_stands(messages, reason):
    assert found(Form(), messages) == [{reason}]


def test_every_answer_is_read_by_itself():
    good = ["u:How is a wooden boat built?", f"a:{ANSWER}"]
    refusing = "a:I can't help with that, but a book about boats and how they are built surely will do so."
    open_ended = ["u:And a raft?", f"a:{ANSWER} It needs this:"]
    assert found(Form(), [*good, "u:And a raft?", refusing, *good], [*open_ended, *good], [*good, *good]) == [
        {"refusal"},
        {"unfinished_response"},
        set(),
    ]
    assert "repeated_phrase" in found(Repetition(), [*good, "u:And a raft?", f"a:{LOOP}", *good])[0]


def test_what_two_answers_have_in_common_is_no_repetition():
    again = [turn for _ in range(5) for turn in ("u:How is a wooden boat built?", f"a:{ANSWER}")]
    assert found(Repetition(), again) == [set()]


def test_words_of_thanks_are_no_short_instruction_of_a_conversation():
    asked = ["u:How is a wooden boat built?", f"a:{ANSWER}", "u:Thanks!", f"a:{ANSWER}"]
    assert found(Form(), asked) == [set()]


def test_the_score_of_a_conversation_is_its_largest():
    scores = (
        Repetition()
        .find(rows(["u:How is it built?", f"a:{ANSWER}", "u:And now?", f"a:{LOOP}"], ["u:hi"]), {})
        .scores["repetition_ratio"]
    )
    alone = Repetition().find(rows(["u:And now?", f"a:{LOOP}"]), {}).scores["repetition_ratio"]
    assert scores.to_list() == [alone[0], None]


@pytest.mark.parametrize("role", "suat")
def test_personal_data_are_found_in_every_role(role):
    turns = ["s:Be kind.", "u:Who owns the boat?", "a:I will look.", "t:Nobody.", "a:Nobody does."]
    place = next(at for at, turn in enumerate(turns) if turn[0] == role)
    held = [*turns[:place], f"{role}:Write to ann.lee@gmail.com, she knows.", *turns[place + 1 :]]
    assert found(Safety(personal_data="drop"), held, turns) == [{"personal_data"}, set()]
