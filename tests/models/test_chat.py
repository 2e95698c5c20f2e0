"""A conversation is encoded as a server prompts with it, and its answer as the model goes on."""

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.templated import CHATML, joining_blanks, tokenizer
from tests.models.test_templates import BEGINS_THOUGHTS, CHANNELS, GEMMA, HEADINGS, LLAMA_3, MISTRAL, SHOWS_THOUGHTS
from tuner.errors import InputError
from tuner.models.chat import Chat

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>")
PARTS = (
    "{% for m in messages %}<{{ m.role }}>{% for part in m.content %}{% if part.text %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEMPLATES = [CHATML, LLAMA_3, GEMMA, MISTRAL, CHANNELS, HEADINGS, BEGINS_THOUGHTS, PARTS]

ASKED = [
    {"role": "user", "content": "How?"},
    {"role": "assistant", "content": "So."},
    {"role": "user", "content": "Why?"},
]
ANSWERED = [*ASKED, {"role": "assistant", "content": " Because.\n"}]


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_is_trained_begins_with_what_is_served_and_ends_where_a_server_stops(template: str) -> None:
    chat = Chat(tokenizer(template, *CHAT_TOKENS), "m")
    encoded = chat.encode(ANSWERED, 10_000)
    shown = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in ASKED] if template == PARTS else ASKED
    served = chat.tokenizer.apply_chat_template(shown, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert encoded.ids[: encoded.start] == served["input_ids"]
    assert encoded.ids[-1] in chat.stop_ids
    answer = chat.said(chat.tokenizer.decode(encoded.ids[encoded.start : -1]), chat.prompt(ASKED))
    assert (answer.thoughts, answer.answer) == ("", "Because.")


@pytest.mark.parametrize("template", [CHATML, LLAMA_3, GEMMA, MISTRAL])
def test_where_a_template_renders_what_it_prompts_for_the_ids_are_those_of_the_whole(template: str) -> None:
    chat = Chat(tokenizer(template, *CHAT_TOKENS), "m")
    conversation = [*ASKED, {"role": "assistant", "content": "Because."}]
    whole = chat.tokenizer.apply_chat_template(conversation, tokenize=True, return_dict=True)["input_ids"]
    ids = chat.encode(conversation, 10_000).ids
    assert ids == [*whole[: len(ids) - 1], ids[-1]]


@given(st.text(st.characters(codec="utf-8", exclude_characters="<"), min_size=1))
def test_any_words_come_back(words: str) -> None:
    chat = Chat(tokenizer(CHATML, *CHAT_TOKENS), "m")
    encoded = chat.encode([{"role": "user", "content": words}, {"role": "assistant", "content": words}], 10_000)
    assert chat.tokenizer.decode(encoded.ids) == f"{chat.template.answer_prompt(words)}{chat.completion(words)}"


def test_a_long_row_is_cut_at_the_end() -> None:
    chat = Chat(tokenizer(CHATML, *CHAT_TOKENS), "m")
    whole = chat.encode(ANSWERED, 10_000)
    assert chat.encode(ANSWERED, 5).ids == whole.ids[:5]
    assert chat.encode(ANSWERED, 5).tokens == 0


def test_tools_are_rendered() -> None:
    chat = Chat(tokenizer("{% if tools %}{{ tools | tojson }}{% endif %}" + CHATML, *CHAT_TOKENS), "m")
    encoded = chat.encode(ANSWERED, 10_000, '[{"name": "look"}]')
    assert chat.tokenizer.decode(encoded.ids).startswith('[{"name": "look"}]<|im_start|>user')


def test_a_completion_does_not_change_the_ids_of_its_prompt() -> None:
    # `.So` is one token, but a server encodes the prompt before the answer is there.
    chat = Chat(joining_blanks("{% for m in messages %}{{ m.content }}.{% endfor %}", ["So.So.So.So"]), "m")
    encoded = chat.encode([{"role": "user", "content": "So"}, {"role": "assistant", "content": "So"}], 100)
    assert encoded.ids[: encoded.start] == chat.ids("So.")
    assert chat.tokenizer.decode(encoded.ids) == "So.So</s>"


def test_only_a_blank_that_the_next_word_would_have_is_dropped() -> None:
    template = "{% for m in messages %}ASK: {{ m.content }} TELL: {% endfor %}"
    assert Chat(joining_blanks(template, [" The cat", " The end"]), "m").healed("ASK: ") == "ASK:"
    bytes_only = Chat(tokenizer(template), "m")
    assert bytes_only.healed("ASK: ") == "ASK: "
    assert bytes_only.healed("ASK:") == "ASK:"


@pytest.mark.parametrize("template", [SHOWS_THOUGHTS, BEGINS_THOUGHTS])
def test_a_student_is_trained_on_thoughts_if_the_recipe_says_so(template: str) -> None:
    conversation = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    for thinks in (True, False):
        chat = Chat(tokenizer(template), "m", thinks=thinks)
        encoded = chat.encode(conversation, 1000, thoughts="Hm. ")
        prompt = chat.prompt(conversation[:-1])
        said = chat.said(chat.tokenizer.decode(encoded.ids[encoded.start : -1]), prompt)
        assert (said.thoughts, said.answer) == ("Hm." if thinks else "", "So.")
        assert chat.tokenizer.decode(encoded.ids[: encoded.start]) == prompt


def test_a_template_that_shows_no_thoughts_is_not_trained_on_them() -> None:
    with pytest.raises(InputError, match=r"^models\.thoughts: the chat template of m shows no thoughts"):
        Chat(tokenizer(CHATML), "m", thinks=True)


@pytest.mark.parametrize("template", [CHATML, LLAMA_3, CHANNELS])
def test_a_system_prompt_stands_before_the_users_words(template: str) -> None:
    chat = Chat(tokenizer(template, *CHAT_TOKENS), "m")
    opening = chat.opening("Be brief.")
    assert "Be brief." in opening
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert chat.prompt(asked) == f"{opening}Why?{chat.template.suffix}"
    assert chat.beginning(system="Be brief.") == opening


NO_SYSTEM = CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
REFUSES_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHATML


@pytest.mark.parametrize("template", [NO_SYSTEM, REFUSES_SYSTEM])
def test_a_template_without_system_prompts_is_refused_one(template: str) -> None:
    assert template != CHATML
    chat = Chat(tokenizer(template, *CHAT_TOKENS), "m")
    with pytest.raises(InputError, match=r"^model m: its chat template renders no system prompt"):
        chat.opening("Be brief.")


class TestAnswers:
    """Each of the assistant's turns is answered to what stands before it."""

    TALK: ClassVar = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "So."},
        {"role": "user", "content": "And then?"},
        {"role": "assistant", "content": "That."},
    ]

    def chat(self) -> Chat:
        return Chat(tokenizer(LLAMA_3, "<|eot_id|>"), "m")

    def test_one_for_each_turn(self) -> None:
        chat = self.chat()
        first, second = chat.answers(self.TALK, 10_000)
        assert first == chat.encode(self.TALK[:3], 10_000)
        assert second == chat.encode(self.TALK, 10_000)
        assert first.tokens > 0 and second.start > len(first.ids) - 1

    def test_a_conversation_that_the_assistant_begins_has_no_answer_there(self) -> None:
        begun = [{"role": "assistant", "content": "Hello."}, *self.TALK[1:3]]
        assert len(self.chat().answers(begun, 10_000)) == 1

    def test_a_turn_of_which_nothing_is_left_is_left_out(self) -> None:
        chat = self.chat()
        first, second = chat.answers(self.TALK, 10_000)
        assert chat.answers(self.TALK, second.start) == [first]
