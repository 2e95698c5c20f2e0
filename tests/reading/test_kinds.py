"""The kind of a file follows from its columns; a row is read as a conversation, or refused with a reason."""

import json

import pytest

from tuner.errors import InputError
from tuner.reading.kinds import ANSWERED, ASKED, PAIRS, TURNS, chosen, recognise
from tuner.reading.pieces import Column
from tuner.reading.turns import UnfitError, may_hold_turns

FORMS = {
    "messages": [("role", "content"), ("system", "user", "assistant")],
    "conversations": [("from", "value"), ("system", "human", "gpt")],
}

ASKED_ = [{"role": "user", "content": "Ask."}]
THOUGHT = [{"type": "thinking", "thinking": "Why?"}]


def columns_of(record):
    return {name: Column(1, int(may_hold_turns(value))) for name, value in record.items()}


def kind_of(record):
    return recognise(columns_of(record), "file")


def read(record):
    return kind_of(record).read(record)


def turns(column, *turns_):
    (author, words), names = FORMS[column]
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


@pytest.mark.parametrize("column", FORMS)
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
        ({"prompt": [], "completion": "x"}, "no turn by the user"),
        ({"messages": []}, "no turn by the user"),
        ({"messages": ["x"]}, "a turn of messages is text, not an object"),
        (turns("messages", ("a", "x")), "no turn by the user"),
        (turns("conversations", ("u", "x")), "no turn by the assistant follows"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "a turn is by none of user,"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "a turn is by none of user,"),
        ({"messages": [{"role": "user", "content": [1]}]}, "a turn's content is a list of a number, not of texts"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "a turn holds images or audio"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_use"}]}]}, "a part that is not text: tool_use"),
        ({"instruction": "x", "output": "y", "images": ["a.png"]}, "the row has images, and only text is read"),
        ({"instruction": "x", "output": "y", "history": [["a"]]}, "history is not a list of pairs"),
        ({"instruction": "x", "output": "y", "tools": "{"}, "tools is not valid JSON"),
        ({"messages": "[1"}, "messages is text, not a list of turns"),
        ({"messages": [{"role": "user"}]}, "a turn's content is missing"),
    ],
)
def test_a_row_that_cannot_be_read_has_a_reason(record, reason):
    with pytest.raises(UnfitError, match=reason):
        read(record)


def test_whole_conversations_come_before_single_texts():
    both = {"instruction": "x", "response": "y", **turns("messages", ("u", "Ask."), ("a", "Answer."))}
    assert read(both).instruction == "Ask."
    assert kind_of({**both, "messages": 2}).fields == ("instruction", "response")


def test_a_few_odd_rows_do_not_decide_the_kind():
    columns = {"instruction": Column(100, 0), "output": Column(99, 1), "messages": Column(30, 1)}
    assert recognise(columns, "mine.jsonl").fields == ("instruction", "output")
    assert recognise({**columns, "messages": Column(60, 55)}, "mine.jsonl").fields == ("messages",)


@pytest.mark.parametrize("column", ["text", "instruction", "messages"])
def test_a_file_of_an_unknown_kind_is_refused_with_its_columns(column):
    with pytest.raises(InputError) as refused:
        recognise({column: Column(7, 0)}, "mine.jsonl")
    assert f"its columns are {column}; known: " in str(refused.value)
    assert all(name in str(refused.value) for name in (*TURNS, *ASKED, *ANSWERED))
    assert "\n" not in str(refused.value)


def test_of_many_columns_the_first_are_listed():
    with pytest.raises(InputError, match=r"c0, .*c11 and 3 more;"):
        recognise({f"c{number}": Column(1, 0) for number in range(15)}, "mine.jsonl")


EXCHANGE = (["user", "assistant"], ["Ask.", "Answer."])


def said(record):
    conversation = read(record)
    return conversation.roles, conversation.contents


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("query", "response"), ("question", "response"), ("input", "output"), ("Question", "Answer"), *PAIRS],
)
def test_published_layouts_are_read(asked, answered):
    assert said({asked: "Ask.", answered: "Answer."}) == EXCHANGE
    assert said({asked: "Ask.", answered: "Answer.", "System": "Be brief."})[1][0] == "Be brief."


@pytest.mark.parametrize("column", ["chosen", "conversation", "text"])
@pytest.mark.parametrize("text", ["\n\nHuman: Ask.\n\nAssistant: Answer.", "### Human: Ask.### Assistant: Answer."])
def test_a_text_may_hold_a_dialogue(column, text):
    assert said({column: text, "rejected": "no"}) == EXCHANGE
    assert said({column: f"{text}{text}"})[1] == ["Ask.", "Answer."] * 2
    with pytest.raises(InputError, match="rows of an unknown kind"):
        recognise(columns_of({column: f"He said: {text[2:]}"}), "mine.jsonl")


def test_a_prompt_may_be_a_dialogue_that_ends_where_the_answer_begins():
    row = {"prompt": "\n\nHuman: One?\n\nAssistant: 1\n\nHuman: Ask.\n\nAssistant:", "chosen": " Answer."}
    assert said(row) == (["user", "assistant"] * 2, ["One?", "1", "Ask.", " Answer."])


def test_turns_may_be_texts_or_pairs_or_have_speakers():
    assert said({"conversation": ["Ask.", "Answer."]}) == EXCHANGE
    assert said({"conversation": [{"assistant": "Answer.", "Human": "Ask."}]}) == EXCHANGE
    assert said({"dialogue": [{"speaker": "User", "text": "Ask."}, {"speaker": "Bot", "text": "Answer."}]}) == EXCHANGE
    row = {"conversation": [{"human": "Ask.", "assistant": "Answer.", "rating": 3}]}
    assert kind_of(row).unread_keys(row) == {"conversation[].rating"}
    with pytest.raises(UnfitError, match="a turn of completion is text, not an object"):
        read({"prompt": "Ask.", "completion": ["One.", "Two."]})


@pytest.mark.parametrize("beside", ["input", "context"])
@pytest.mark.parametrize(("asked", "answered"), [("instruction", "response"), ("question", "answer")])
def test_what_the_question_is_about_follows_it(asked, answered, beside):
    assert said({asked: "Ask.", beside: "A passage.", answered: "x"})[1] == ["Ask.\n\nA passage.", "x"]
    assert said({asked: "Ask.", beside: "", answered: "x"})[1] == ["Ask.", "x"]


def test_the_system_turn_and_earlier_exchanges_come_first():
    row = {"instruction": "And then?", "output": "So.", "system_prompt": "Be brief.", "history": [["One?", "1"]]}
    assert said(row) == (
        ["system", "user", "assistant", "user", "assistant"],
        ["Be brief.", "One?", "1", "And then?", "So."],
    )
    conversation = turns("conversations", ("s", "Be kind."), ("u", "Ask."), ("a", "Answer."))
    assert said({**conversation, "system": "Be brief."})[1] == ["Be brief.\n\nBe kind.", "Ask.", "Answer."]
    assert said({**conversation, "system": "Be kind."})[1] == ["Be kind.", "Ask.", "Answer."]


def test_empty_turns_are_kept():
    conversation = read(turns("messages", ("u", "One?"), ("a", ""), ("u", ""), ("a", " \n")))
    assert conversation.contents == ["One?", "", "", " \n"]


def test_turns_after_the_last_answer_are_cut_and_counted():
    conversation = read(turns("messages", ("u", "One?"), ("a", "1"), ("u", "thanks"), ("u", "bye")))
    assert (conversation.roles, conversation.instruction, conversation.cut) == (["user", "assistant"], "One?", 2)


@pytest.mark.parametrize(
    ("name", "role"),
    [("ChatGPT", "assistant"), ("bing", "assistant"), ("Model", "assistant"), ("BOT", "assistant")],
)
def test_roles_have_many_names_in_any_case(name, role):
    row = [{"from": "Human", "value": "Ask."}, {"from": name, "value": "Answer."}]
    assert said({"conversations": row}) == EXCHANGE
    assert role == "assistant"
    system = [{"role": "developer", "content": "Be brief."}, *turns("messages", ("u", "Ask."), ("a", "x"))["messages"]]
    assert said({"messages": system})[0][0] == "system"


@pytest.mark.parametrize("key", ["text", "value"])
def test_the_texts_of_parts_are_joined(key):
    parts = [{"type": "text", key: "One."}, {"type": "text", key: "Two."}]
    row = [{"role": "user", "content": parts, "weight": 0}, {"role": "assistant", "content": ["Answer."]}]
    assert said({"messages": row})[1] == ["One.\nTwo.", "Answer."]
    assert kind_of({"messages": row}).unread_keys({"messages": row}) == {"messages[].weight"}


def test_messages_may_be_json_text():
    row = {"messages": json.dumps(turns("messages", ("u", "Ask."), ("a", "Answer."))["messages"])}
    assert said(row) == EXCHANGE


CALL = '<tool_call>\n{"name":"look","arguments":{"at":"sky"}}\n</tool_call>'


@pytest.mark.parametrize(
    "call",
    [
        {"from": "function_call", "value": '{"name": "look", "arguments": {"at": "sky"}}'},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "look", "arguments": {"at": "sky"}}}],
        },
        {"role": "assistant", "tool_calls": [{"function": {"name": "look", "arguments": '{"at": "sky"}'}}]},
        {"role": "assistant", "function_call": {"name": "look", "arguments": '{"at": "sky"}'}},
    ],
)
def test_calls_of_tools_are_kept(call):
    row = {
        "conversations": [
            {"from": "human", "value": "Is it blue?"},
            call,
            {"from": "observation", "value": "blue"},
            {"from": "gpt", "value": "Yes."},
        ],
        "tools": '[{"name": "look"}]',
    }
    assert said(row) == (["user", "assistant", "tool", "assistant"], ["Is it blue?", CALL, "blue", "Yes."])
    assert read(row).tools == '[{"name":"look"}]'
    assert read({**row, "tools": "[]"}).tools is None


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Ask.", "chosen": "Answer."},
        {"prompt": "Ask.", "chosen": turns("messages", ("u", "Ask."), ("a", "Answer."))["messages"]},
        {
            "prompt": turns("messages", ("u", "Ask."))["messages"],
            "chosen": turns("messages", ("a", "Answer."))["messages"],
        },
        {**turns("conversations", ("u", "Ask.")), "chosen": {"from": "gpt", "value": "Answer."}},
        {"chosen": turns("messages", ("u", "Ask."), ("a", "Answer."))["messages"]},
    ],
)
def test_of_preferences_the_chosen_answer_is_read(row):
    assert said({**row, "rejected": "No."}) == EXCHANGE


def test_columns_can_be_named():
    row = {"frage": "Ask.", "antwort": "Answer.", "context": "Not named, so not read."}
    kind = chosen({"prompt": "frage", "response": "antwort"}, columns_of(row), "file")
    assert kind.read(row).contents == ["Ask.", "Answer."]
    for mapping, words in (
        ({"prompt": "frage"}, "name prompt and response, or messages"),
        ({"ask": "frage", "response": "antwort"}, "ask is none of messages, prompt"),
        ({"prompt": "Frage", "response": "antwort"}, "no column Frage; its columns are frage, antwort, context"),
    ):
        with pytest.raises(InputError, match=words):
            chosen(mapping, columns_of(row), "file")


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Ask.", "response": "<think>\nWhy?\n</think>\n\nAnswer."},
        {"prompt": "Ask.", "response": "Why?\n</think>\nAnswer."},
        {"prompt": "Ask.", "response": "Answer.", "reasoning_content": "Why?"},
        {"prompt": "Ask.", "response": "Answer.", "Thoughts": "Why?"},
        turns("messages", ("u", "Ask."), ("a", "<think>Why?</think>Answer.")),
        {"messages": [*ASKED_, {"role": "assistant", "reasoning_content": "Why?", "content": "Answer."}]},
        {"messages": [*ASKED_, {"role": "assistant", "thinking": "Why?", "content": "Answer."}]},
        {"messages": [*ASKED_, {"role": "assistant", "content": [*THOUGHT, {"type": "text", "text": "Answer."}]}]},
    ],
)
def test_the_thoughts_before_an_answer_are_apart(record):
    conversation = read(record)
    assert (conversation.response, conversation.thoughts) == ("Answer.", "Why?")
    assert conversation.contents == ["Ask.", "Answer."]


def test_the_thoughts_of_earlier_turns_are_counted():
    said = ("u", "One?"), ("a", "<think>1?</think>1"), ("u", "Two?"), ("a", "<think>2?</think>2")
    conversation = read(turns("messages", *said))
    assert (conversation.response, conversation.thoughts, conversation.earlier_thoughts) == ("1\n\n2", "2?", 1)


def test_thoughts_that_do_not_end_have_no_answer():
    assert read({"prompt": "Ask.", "response": "<think>On and on"}).response == ""


def test_a_user_may_write_a_tag_of_thoughts():
    conversation = read({"prompt": "<think>Ask.</think>Now.", "response": "It is a <think> tag."})
    assert (conversation.instruction, conversation.response) == ("<think>Ask.</think>Now.", "It is a <think> tag.")
