"""Magpie: no row is dropped, and each has its outcome."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest

from tests.models.templated import joining_blanks, tokenizer
from tests.models.test_templates import SHOWS_THOUGHTS
from tuner.errors import InputError
from tuner.generation import seeds
from tuner.generation.engines import Completion, Facts, Request
from tuner.generation.shards import ShardSpec
from tuner.generation.sources import Magpie, Sampling
from tuner.generation.sources.base import Drawing
from tuner.models.chat import Chat
from tuner.rows import SCHEMA

SETTINGS = Magpie(instruction=Sampling(temperature=1.0), response=Sampling(temperature=0.7))

SHARD = ShardSpec(0, 42, 3, 6)
CHAT = Chat(
    tokenizer(
        "<system>kind</system>{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}> {% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}",
        "</user>",
    ),
    "m",
)
TEMPLATE = CHAT.template


class Scripted:
    """An engine with scripted completions that records its requests."""

    def __init__(self, instructions: Sequence[Completion], responses: dict[str, Completion]) -> None:
        self._instructions = instructions
        self._responses = responses
        self.requests: list[Request] = []

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Iterator[tuple[Request, Completion]]:
        while requests:
            request = requests.popleft()
            self.requests.append(request)
            if request.turn == 0:
                completion = self._instructions[request.row]
            else:
                completion = next(a for words, a in self._responses.items() if words in request.prompt)
            on_tokens(completion.tokens)
            yield request, completion

    def turn(self, number: int) -> list[Request]:
        return [request for request in self.requests if request.turn == number]

    def facts(self) -> Facts:
        return Facts("scripted", "none", "none", 1)

    def close(self) -> None:
        pass


def script() -> Scripted:
    return Scripted(
        [
            Completion("Why is the sky blue?", 7, "stop"),
            Completion("", 1, "stop"),
            Completion("Tell me a story that", 9, "length"),
            Completion("Say nothing.", 4, "stop"),
            Completion("Count to a million.", 6, "stop"),
            Completion("", 9, "length"),
        ],
        {
            "sky": Completion("Air scatters blue light.", 8, "stop"),
            "nothing": Completion("", 1, "stop"),
            "million": Completion("1, 2, 3", 11, "length"),
        },
    )


def draw(
    engine: Scripted,
    settings: Magpie = SETTINGS,
    chat: Chat = CHAT,
    shard: ShardSpec = SHARD,
    on_progress: Callable[[int, int], None] = lambda turns, tokens: None,
) -> list[dict[str, Any]]:
    return settings.draw(Drawing(engine, chat, shard, (), on_progress))


def test_every_row_is_kept_in_order_with_its_outcome() -> None:
    rows = draw(script())
    assert [(row["index"], row["outcome"]) for row in rows] == [
        (0, "complete"),
        (1, "empty_instruction"),
        (2, "cut_instruction"),
        (3, "empty_response"),
        (4, "cut_response"),
        (5, "empty_instruction"),
    ]
    assert [row["instruction_finish"] for row in rows] == ["stop", "stop", "length", "stop", "stop", "length"]
    assert [row["response_finish"] for row in rows] == ["stop", "skipped", "skipped", "stop", "length", "skipped"]


def test_token_counts_include_end_tokens_and_empty_turns() -> None:
    rows = draw(script())
    assert [row["instruction_tokens"] for row in rows] == [7, 1, 9, 4, 6, 9]
    assert [row["response_tokens"] for row in rows] == [8, 0, 0, 1, 11, 0]


def test_an_instruction_that_is_empty_or_cut_off_is_not_answered() -> None:
    engine = script()
    rows = draw(engine)
    assert len(engine.turn(0)) == 6
    assert [request.row for request in engine.turn(1)] == [0, 3, 4]
    assert rows[1]["response_prompt"] == ""
    assert rows[1]["response"] == ""


def test_the_first_prompt_is_the_prefix_and_the_second_the_whole_turn() -> None:
    engine = script()
    rows = draw(engine)
    instructions, responses = engine.turn(0), engine.turn(1)
    assert {request.prompt for request in instructions} == {TEMPLATE.prefix}
    assert {(request.sampling, request.stop) for request in instructions} == {(SETTINGS.instruction, "</user>")}
    assert responses[0].prompt == f"{TEMPLATE.prefix}Why is the sky blue?{TEMPLATE.suffix}"
    assert {(request.sampling, request.stop) for request in responses} == {(SETTINGS.response, "</assistant>")}
    assert rows[0]["instruction_prompt"] == TEMPLATE.prefix
    assert rows[0]["response_prompt"] == responses[0].prompt


def test_a_recipe_may_give_another_prefix_for_the_instruction() -> None:
    engine = script()
    rows = draw(engine, SETTINGS.model_copy(update={"prefix": "<user>"}))
    assert {request.prompt for request in engine.turn(0)} == {"<user>"}
    assert engine.turn(1)[0].prompt == TEMPLATE.answer_prompt("Why is the sky blue?")
    assert rows[0]["instruction_prompt"] == "<user>"


def test_words_of_a_prefix_begin_the_instruction() -> None:
    engine = script()
    rows = draw(engine, SETTINGS.model_copy(update={"prefix": f"{TEMPLATE.prefix}Please: "}))
    assert rows[0]["instruction"] == "Please: Why is the sky blue?"
    assert rows[1]["instruction"] == ""
    assert engine.turn(1)[0].prompt == TEMPLATE.answer_prompt("Please: Why is the sky blue?")


def test_special_tokens_are_left_out_and_thoughts_kept_apart() -> None:
    engine = Scripted(
        [Completion(" <s>Why?\n", 3, "stop"), Completion("How?", 2, "stop"), Completion("When?", 2, "stop")],
        {
            "Why": Completion("<think>\nBecause ...\n</think>\n\nSo.</s>", 9, "stop"),
            "How": Completion("<think>Well", 5, "length"),
            "When": Completion("Now. ", 5, "stop"),
        },
    )
    shard = ShardSpec(0, 42, 3, 3)
    rows = draw(engine, shard=shard)
    assert [(row["instruction"], row["thoughts"], row["response"], row["outcome"]) for row in rows] == [
        ("Why?", "Because ...", "So.", "complete"),
        ("How?", "Well", "", "empty_response"),
        ("When?", "", "Now.", "complete"),
    ]


def test_a_prompt_does_not_end_in_a_blank_that_belongs_to_the_next_word() -> None:
    template = "{% for m in messages %}[ASK] {{ m.content }} [/ASK] {% endfor %}"
    engine = script()
    joined = Chat(joining_blanks(template, [" The cat", " Why is the sky", " The end"]), "m")
    rows = draw(engine, chat=joined)
    assert rows[0]["instruction_prompt"] == "[ASK]"
    assert rows[0]["response_prompt"] == "[ASK] Why is the sky blue? [/ASK]"


def test_a_template_with_nothing_before_the_words_is_refused() -> None:
    bare = Chat(tokenizer("{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"), "m")
    with pytest.raises(InputError, match=r"^model m: its chat template renders nothing before the user's words"):
        draw(script(), chat=bare)


def test_both_turns_of_a_row_have_its_seed() -> None:
    engine = script()
    rows = draw(engine)
    wanted = [seeds.row_seed(42, 3, index) for index in range(6)]
    assert [row["seed"] for row in rows] == wanted
    assert [request.seed for request in engine.turn(0)] == wanted
    assert [request.seed for request in engine.turn(1)] == [wanted[i] for i in (0, 3, 4)]
    assert [row["row_id"] for row in rows] == [seeds.row_id(42, 3, index) for index in range(6)]
    assert {row["shard"] for row in rows} == {3}


def test_messages_hold_both_turns() -> None:
    for row in draw(script()):
        assert row["messages"] == [
            {"role": "user", "content": row["instruction"]},
            {"role": "assistant", "content": row["response"]},
        ]


def test_rows_fit_the_schema_even_if_all_completions_are_empty() -> None:
    rows = draw(Scripted([Completion("", 1, "stop")] * 6, {}))
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert rows[0].keys() == set(SCHEMA.names)
    assert set(table["outcome"].to_pylist()) == {"empty_instruction"}


def test_progress_counts_both_turns() -> None:
    said: list[tuple[int, int]] = []
    draw(script(), on_progress=lambda turns, tokens: said.append((turns, tokens)))
    assert said[0] == (0, 7)
    assert said[-1] == (6 + 3, 36 + 20)


def test_a_response_is_requested_as_soon_as_its_instruction_is_complete() -> None:
    queues: list[list[tuple[int, int]]] = []

    class Watching(Scripted):
        def complete(
            self, requests: deque[Request], on_tokens: Callable[[int], None]
        ) -> Iterator[tuple[Request, Completion]]:
            for found in super().complete(requests, on_tokens):
                yield found
                queues.append([(request.row, request.turn) for request in requests])

    watching = Watching(script()._instructions, script()._responses)
    draw(watching)
    assert queues[0][0] == (0, 1)
    assert queues[0][1] == (1, 0)


def test_instructions_alone() -> None:
    engine = script()
    rows = SETTINGS.sample(engine, CHAT, SHARD, answered=False)
    assert engine.turn(1) == []
    assert {row["response_finish"] for row in rows} == {"skipped"}


@pytest.mark.parametrize(("rows", "shard_rows", "sizes"), [(96, 24, [24] * 4), (5, 2, [2, 2, 1]), (3, 100, [3])])
def test_only_the_last_shard_may_hold_fewer_rows(rows: int, shard_rows: int, sizes: list[int]) -> None:
    from tuner.generation.shards import shard_sizes

    assert shard_sizes(rows, shard_rows) == sizes


class TestSystem:
    """Instructions are drawn under system prompts of the recipe, each as often as its weight says."""

    CODE, MATHS = "You help programmers.", "You teach maths."

    def drawn(self, **settings: Any) -> tuple[Scripted, list[dict[str, Any]]]:
        engine = Scripted([Completion("Why is the sky blue?", 7, "stop")] * 200, {"sky": Completion("So.", 2, "stop")})
        shard = ShardSpec(0, 42, 0, 200)
        return engine, draw(engine, Magpie.model_validate(settings), shard=shard)

    def test_a_row_has_one_by_its_seed(self) -> None:
        systems = [{"prompt": self.CODE, "weight": 3, "category": "code"}, {"prompt": self.MATHS}]
        engine, rows = self.drawn(system=systems)
        assert 130 <= sum(row["system"] == self.CODE for row in rows) <= 170
        assert {(row["system"], row["category"]) for row in rows} == {(self.CODE, "code"), (self.MATHS, "")}
        for row, request in zip(rows, engine.turn(0), strict=True):
            assert row["system"] in request.prompt and request.opening == request.prompt
        assert self.drawn(system=systems)[1] == rows

    def test_what_one_row_alone_begins_with_is_not_shared(self) -> None:
        topics = [f"topic {number}" for number in range(5000)]
        engine, rows = self.drawn(system=[{"topics": topics}])
        times = Counter(row["instruction_prompt"] for row in rows)
        assert {bool(request.opening) for request in engine.turn(0)} == {False, True}
        assert all(bool(request.opening) == (times[request.prompt] > 1) for request in engine.turn(0))
        assert all(row["category"] in row["system"] for row in rows)

    def test_responses_are_drawn_under_their_own(self) -> None:
        engine, rows = self.drawn(system=self.CODE, response_system="Be brief.")
        assert all(self.CODE in row["instruction_prompt"] for row in rows)
        assert all("Be brief." in row["response_prompt"] and self.CODE not in row["response_prompt"] for row in rows)
        assert {request.opening for request in engine.turn(1)} == {CHAT.opening("Be brief.")}
        assert [turn["role"] for turn in rows[0]["messages"]] == ["user", "assistant"]

    def test_without_any_the_templates_own_are_used(self) -> None:
        _, rows = self.drawn()
        assert {(row["system"], row["category"], row["instruction_prompt"]) for row in rows} == {
            ("", "", CHAT.opening())
        }

    @pytest.mark.parametrize(
        ("settings", "line"),
        [
            ({"system": "x", "prefix": "y"}, "prefix replaces the whole beginning of a prompt"),
            ({"system": [{"prompt": ""}]}, "at least 1 character"),
            ({"system": [{"prompt": "x", "weight": 0}]}, "greater than 0"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(self, settings: dict[str, Any], line: str) -> None:
        with pytest.raises(ValueError, match=line):
            Magpie.model_validate(settings)


class TestBegins:
    """Instructions begin with a text of the recipe, chosen by the row's seed."""

    def test_the_text_ends_the_prompt_and_begins_the_instruction(self) -> None:
        engine = Scripted([Completion(" is it?", 3, "stop")] * 100, {"is it": Completion("So.", 2, "stop")})
        rows = draw(engine, Magpie(begins=("What", "How")), shard=ShardSpec(0, 42, 0, 100))
        assert 30 <= sum(row["instruction"] == "What is it?" for row in rows) <= 70
        assert {row["instruction"] for row in rows} == {"What is it?", "How is it?"}
        for row, request in zip(rows, engine.turn(0), strict=True):
            assert request.prompt == f"{TEMPLATE.prefix}{row['instruction'].split()[0]}"
            assert request.opening == TEMPLATE.prefix

    def test_one_that_gets_no_further_is_empty(self) -> None:
        rows = draw(Scripted([Completion("", 1, "stop")] * 6, {}), Magpie(begins=("What",)))
        assert {(row["instruction"], row["outcome"]) for row in rows} == {("", "empty_instruction")}


class TestTurns:
    """A conversation of several exchanges ends before one that is empty or cut off."""

    def drawn(self, *said: Completion, turns: int = 2) -> tuple[list[Request], dict[str, Any]]:
        class Talking(Scripted):
            def complete(
                self, requests: deque[Request], on_tokens: Callable[[int], None]
            ) -> Iterator[tuple[Request, Completion]]:
                while requests:
                    self.requests.append(requests.popleft())
                    yield self.requests[-1], said[self.requests[-1].turn]

        engine = Talking([], {})
        (row,) = draw(engine, Magpie(turns=turns, response_system="Be brief."), shard=ShardSpec(0, 42, 0, 1))
        return engine.requests, row

    ASKED, ANSWERED = Completion("Why?", 2, "stop"), Completion("So.", 3, "stop")
    MORE, FURTHER = Completion("And then?", 4, "stop"), Completion("Then that.", 5, "stop")

    def test_each_turn_is_prompted_with_the_conversation_before_it(self) -> None:
        requests, row = self.drawn(self.ASKED, self.ANSWERED, self.MORE, self.FURTHER)
        prompts = [request.prompt for request in requests]
        assert [request.turn for request in requests] == [0, 1, 2, 3]
        assert prompts[2] == f"{TEMPLATE.prefix}Why?</user> <assistant>So.</assistant> <user>"
        assert prompts[3].endswith("<user>Why?</user> <assistant>So.</assistant> <user>And then?</user> <assistant>")
        assert "Be brief." in prompts[1] and "Be brief." in prompts[3] and "Be brief." not in prompts[2]
        assert [turn["content"] for turn in row["messages"]] == ["Why?", "So.", "And then?", "Then that."]
        assert (row["instruction"], row["response"]) == ("Why?\n\nAnd then?", "So.\n\nThen that.")
        assert (row["instruction_tokens"], row["response_tokens"], row["outcome"]) == (6, 8, "complete")

    @pytest.mark.parametrize(
        "cut",
        [(Completion("And", 9, "length"),), (MORE, Completion("Then", 9, "length")), (Completion("", 1, "stop"),)],
    )
    def test_an_exchange_that_is_not_whole_is_left_out(self, cut: tuple[Completion, ...]) -> None:
        _, row = self.drawn(self.ASKED, self.ANSWERED, *cut)
        assert [turn["content"] for turn in row["messages"]] == ["Why?", "So."]
        assert (row["instruction_finish"], row["response_finish"], row["outcome"]) == ("stop", "stop", "complete")

    def test_a_first_exchange_that_is_cut_off_stays(self) -> None:
        _, row = self.drawn(self.ASKED, Completion("So", 9, "length"))
        assert (row["outcome"], row["response"]) == ("cut_response", "So")


def test_a_turn_may_end_at_its_first_blank_line_or_line_break() -> None:
    engine = script()
    draw(engine, Magpie(instruction=Sampling(until="line"), response=Sampling(until="paragraph")))
    assert {request.stops for request in engine.turn(0)} == {("</user>", "\n")}
    assert {request.stops for request in engine.turn(1)} == {("</assistant>", "\n\n")}


def test_thoughts_would_end_at_a_blank_line() -> None:
    thinks = Chat(tokenizer(SHOWS_THOUGHTS, "<|im_end|>"), "m")
    with pytest.raises(InputError, match=r"^response\.until: m thinks before it answers"):
        draw(script(), Magpie(response=Sampling(until="paragraph")), chat=thinks)
