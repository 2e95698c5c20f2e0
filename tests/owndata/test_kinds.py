"""The kind of a file follows from its columns; a row is read as a conversation, or refused with a reason."""

import pytest

from tuner.errors import InputError
from tuner.owndata.kinds import KINDS, UnfitError, recognise
from tuner.owndata.pieces import Column

TURNS = {
    "messages": [("role", "content"), ("system", "user", "assistant")],
    "conversations": [("from", "value"), ("system", "human", "gpt")],
}


def kind_of(record):
    return recognise({name: Column(1, int(isinstance(value, list))) for name, value in record.items()}, "file")


def read(record):
    return kind_of(record).read(record)


def turns(column, *turns_):
    (author, words), names = TURNS[column]
    names = dict(zip("sua", names, strict=True))
    return {column: [{author: names[who], words: text} for who, text in turns_]}


@pytest.mark.parametrize(
    "record",
    [
        {"instruction": "Ask.", "response": "Answer."},
        {"prompt": "Ask.", "completion": "Answer."},
        {"prompt": "Ask.", "response": "Answer."},
        {"question": "Ask.", "answer": "Answer."},
        {"instruction": "Ask.", "output": "Answer."},
        {"instruction": "Ask.", "input": "", "output": "Answer."},
        {"instruction": "Ask.", "input": None, "output": "Answer."},
        {"prompt": [{"role": "user", "content": "Ask."}], "completion": [{"role": "assistant", "content": "Answer."}]},
        turns("messages", ("u", "Ask."), ("a", "Answer.")),
        turns("conversations", ("u", "Ask."), ("a", "Answer.")),
    ],
)
def test_every_kind_is_read_as_the_same_conversation(record):
    conversation = read(record)
    assert (conversation.instruction, conversation.response) == ("Ask.", "Answer.")
    assert (conversation.roles, conversation.contents) == (["user", "assistant"], ["Ask.", "Answer."])


def test_alpacas_input_follows_the_instruction():
    conversation = read({"instruction": "Add up.", "input": "1, 2", "output": "3"})
    assert conversation.instruction == "Add up.\n\n1, 2"
    assert conversation.contents == ["Add up.\n\n1, 2", "3"]


@pytest.mark.parametrize("column", TURNS)
def test_a_conversation_keeps_all_its_turns(column):
    conversation = read(turns(column, ("s", "Be brief."), ("u", "One?"), ("a", "1"), ("u", "Two?"), ("a", "2")))
    assert (conversation.instruction, conversation.response) == ("One?\n\nTwo?", "1\n\n2")
    assert conversation.roles == ["system", "user", "assistant", "user", "assistant"]
    assert conversation.contents == ["Be brief.", "One?", "1", "Two?", "2"]


def test_turns_from_parquet_may_have_nulls_for_the_keys_of_other_turns():
    turns = [
        {"role": None, "from": "human", "content": None, "value": "Ask."},
        {"role": "assistant", "from": None, "content": "", "value": None},
    ]
    assert read({"conversations": turns}).contents == ["Ask.", ""]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"instruction": None, "response": "x"}, "instruction is missing"),
        ({"instruction": "x", "response": 3}, "response is a number, not text"),
        ({"instruction": "x", "response": True}, "response is a truth value, not text"),
        ({"instruction": "x", "input": {}, "output": "x"}, "input is an object, not text"),
        ({"prompt": [], "completion": "x"}, "prompt is a list, not text"),
        ({"messages": []}, "no turn by the user"),
        ({"messages": ["x"]}, "a turn is text, not an object"),
        (turns("messages", ("a", "x")), "no turn by the user"),
        (turns("conversations", ("u", "x")), "does not end with the assistant"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "a turn is by none of user,"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "a turn is by none of user,"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "a turn's content is a list, not text"),
        ({"messages": [{"role": "user"}]}, "a turn's content is missing"),
    ],
)
def test_a_row_that_cannot_be_read_has_a_reason(record, reason):
    with pytest.raises(UnfitError, match=reason):
        read(record)


def test_whole_conversations_come_before_single_texts():
    both = {"instruction": "x", "response": "y", **turns("messages", ("u", "Ask."), ("a", "Answer."))}
    assert read(both).instruction == "Ask."
    assert kind_of({**both, "messages": 2}).name == "instruction, response"


def test_a_few_odd_rows_do_not_decide_the_kind():
    columns = {"instruction": Column(100, 0), "output": Column(99, 1), "messages": Column(30, 1)}
    assert recognise(columns, "mine.jsonl").name == "instruction, output (and input)"
    assert recognise({**columns, "messages": Column(60, 55)}, "mine.jsonl").name == "messages (role, content)"


@pytest.mark.parametrize("column", ["text", "instruction", "messages"])
def test_a_file_of_an_unknown_kind_is_refused_with_its_columns(column):
    with pytest.raises(InputError) as refused:
        recognise({column: Column(7, 0)}, "mine.jsonl")
    assert f"its columns are {column}; known: " in str(refused.value)
    assert all(kind.name in str(refused.value) for kind in KINDS)
    assert "\n" not in str(refused.value)


def test_of_many_columns_the_first_are_listed():
    with pytest.raises(InputError, match=r"c0, .*c11 and 3 more;"):
        recognise({f"c{number}": Column(1, 0) for number in range(15)}, "mine.jsonl")
