"""Magpie (arXiv 2406.08464): the model writes the user's instruction, then answers it.

An aligned chat model that is prompted with its own template, up to where the user's words begin, continues with an
instruction. The same template around that instruction then prompts for the response; the thoughts of a reasoning model
are kept apart from it. With the conversation so far before it, the template prompts for the user's next turn. No row is
dropped: one that is empty or cut off is kept, and marked in `outcome`; an instruction that is gets no response.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tuner.errors import InputError
from tuner.generation.languages import LANGUAGES
from tuner.generation.sources.base import Drawing, Drawn, Sampling, Turn, outcome, row
from tuner.generation.steering import LISTS, MAX_LINE, written
from tuner.section import Section, added_field

if TYPE_CHECKING:
    from tuner.generation.engines import Completion, Request
    from tuner.models.chat import Chat
    from tuner.models.templates import Message
    from tuner.models.thoughts import Said


Line = Annotated[str, Field(min_length=1, max_length=MAX_LINE)]


class System(Section):
    """A system prompt that instructions are drawn under.

    Attributes:
        prompt: Its words; with `{topic}` or `{persona}` where a line of these lists is to stand.
        weight: How often it is chosen, against the others.
        category: What the rows are called that are drawn under it, in their column `category`; by default their topic.
        topics: What users ask about, one for each row: a list, or a text file with one a line.
        personas: Who they are, likewise.
    """

    prompt: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    category: str = ""
    topics: tuple[Line, ...] = added_field(())
    personas: tuple[Line, ...] = added_field(())

    @model_validator(mode="after")
    def _lists_have_a_place(self) -> "System":
        for key, place in LISTS.items():
            if getattr(self, key) and place not in self.prompt:
                raise ValueError(f"its prompt has no {place}, where one of its {key} is to stand")
        return self


def _known(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError(f"no language {code!r}; they are {', '.join(LANGUAGES)}")
    return code


class Magpie(Drawn):
    """Instructions and responses of a chat model.

    Attributes:
        prefix: The prompt that the generator continues with an instruction; by default what its chat template renders
            before the user's words.
        begins: Texts, with one of which every instruction begins, chosen by the row's seed; by default the model
            begins.
        system: System prompts, one of which every instruction is drawn under; by default the chat template's own.
        languages: ISO 639 codes; the system prompt of every instruction says that the user writes in one of these.
        response_system: The system prompt that every response is drawn under; by default the chat template's own.
        turns: Exchanges of a conversation. It ends before an exchange that is empty or cut off.
        instruction: Sampling of the user's turns.
        response: Sampling of the assistant's turns.
    """

    source: Literal["magpie"] = "magpie"
    prefix: str | None = None
    begins: tuple[Annotated[str, Field(min_length=1)], ...] = added_field(())
    system: Annotated[tuple[System, ...], BeforeValidator(written)] = added_field(())
    languages: tuple[Annotated[str, AfterValidator(_known)], ...] = added_field(())
    response_system: str | None = added_field(None, min_length=1)
    turns: int = added_field(1, ge=1, le=10)
    instruction: Sampling = Sampling()
    response: Sampling = Sampling()

    @model_validator(mode="after")
    def _one_opening(self) -> "Magpie":
        for key in ("system", "languages"):
            if self.prefix is not None and getattr(self, key):
                raise ValueError(f"prefix replaces the whole beginning of a prompt, so that {key} is not read; set one")
        if self.prefix is not None and self.turns > 1:
            raise ValueError("prefix is the beginning of a first turn only; set turns to 1, or leave prefix out")
        return self

    @property
    def turns_of_row(self) -> int:
        """See `Drawn.turns_of_row`."""
        return 2 * self.turns

    def draw(self, drawing: Drawing) -> list[dict[str, Any]]:
        """See `Drawn.draw`."""
        thinking, lead = drawing.chat.template.thinking, drawing.chat.template.lead
        if self.response.until != "turn" and thinking and not lead.strip():
            raise InputError(
                f"response.until: {drawing.chat.model} thinks before it answers, and its thoughts have line breaks; "
                "set it to turn"
            )
        rows = [_Conversation(self, drawing, index) for index in range(drawing.shard.rows)]
        first = [each.first() for each in rows]
        times = Counter(request.opening for request in first)
        # What only one row begins with is not worth computing by itself.
        first = [request if times[request.opening] > 1 else replace(request, opening="") for request in first]
        drawing.complete(first, lambda request, completion: rows[request.row].then(request, completion))
        return [each.row() for each in rows]


class _Conversation:
    """A row while it is drawn."""

    def __init__(self, settings: Magpie, drawing: Drawing, index: int) -> None:
        from tuner.generation import seeds
        from tuner.generation.seeds import CHOICE_BEGINS, CHOICES
        from tuner.generation.systems import chosen

        self._settings, self._drawing, self._index = settings, drawing, index
        self._chat: Chat = drawing.chat
        self._seed = drawing.seed(index)
        self._system = chosen(settings.system, settings.languages, self._seed, drawing.shard.weights)
        begun = seeds.uniforms(self._seed, CHOICES, CHOICE_BEGINS + 1)[CHOICE_BEGINS]
        self._begins = settings.begins[int(begun * len(settings.begins))] if settings.begins else ""
        self._turns: list[Turn] = []

    def first(self) -> "Request":
        """The request for the instruction."""
        opening = self._chat.beginning(self._settings.prefix, self._system.prompt if self._system else None)
        return self._request(self._chat.healed(f"{opening}{self._begins}"), opening)

    def then(self, request: "Request", completion: "Completion") -> "Request | None":
        """Takes a turn, and returns the request for the next."""
        if len(self._turns) % 2:
            self._turns.append(Turn(request.prompt, completion, self._chat.said(completion.text, request.prompt)))
        else:
            self._turns.append(Turn(request.prompt, completion, self._asked(completion.text)))
        if not self._drawing.answered or not self._turns[-1].whole or len(self._turns) == 2 * self._settings.turns:
            return None
        system = self._system.prompt if self._system else None
        if len(self._turns) % 2 == 0:
            opening = self._chat.opening(system, self._messages(self._turns))
            return self._request(self._chat.healed(opening), self._chat.opening(system))
        *before, asked = self._turns
        beginning = self._chat.opening(self._settings.response_system)
        opening = self._chat.opening(self._settings.response_system, self._messages(before)) if before else beginning
        prompt = f"{opening}{asked.said.answer}{self._chat.template.suffix}"
        return self._request(self._chat.healed(prompt), beginning)

    def row(self) -> dict[str, Any]:
        """The finished row."""
        turns = self._turns
        # A later exchange that is empty or cut off is left out; of a first one the row keeps what there is.
        ended = max(2, next((2 * (at // 2) for at, turn in enumerate(turns) if not turn.whole), len(turns)))
        turns = turns[:ended]
        asked, answered = turns[::2], turns[1::2]
        last = answered[-1] if answered else None
        return row(
            self._drawing,
            self._index,
            instruction="\n\n".join(turn.said.answer for turn in asked),
            response="\n\n".join(turn.said.answer for turn in answered),
            thoughts=last.said.thoughts if last else "",
            system=self._system.prompt if self._system else "",
            category=self._system.category if self._system else "",
            messages=self._messages(turns) if answered else [*self._messages(turns), _message("assistant", "")],
            instruction_prompt=asked[0].prompt,
            response_prompt=answered[0].prompt if answered else "",
            instruction_finish=asked[-1].completion.finish,
            response_finish=last.completion.finish if last else "skipped",
            instruction_tokens=sum(turn.completion.tokens for turn in self._turns[::2]),
            response_tokens=sum(turn.completion.tokens for turn in self._turns[1::2]),
            outcome=outcome(asked[-1], last),
        )

    def _asked(self, text: str) -> "Said":
        from tuner.models.thoughts import Said

        if not text.strip():
            return Said("", "")
        begun = ""
        if not self._turns:
            prefix, own = self._settings.prefix or "", self._chat.template.prefix
            # Words that a recipe's prefix has behind the template's own begin the instruction.
            begun = (prefix[len(own) :] if prefix.startswith(own) else "") + self._begins
        return Said("", self._chat.plain(f"{begun}{text}"))

    def _messages(self, turns: Sequence[Turn]) -> "list[Message]":
        return [_message("assistant" if at % 2 else "user", turn.said.answer) for at, turn in enumerate(turns)]

    def _request(self, prompt: str, opening: str) -> "Request":
        from tuner.generation.engines import Request

        turn, template = len(self._turns), self._chat.template
        sampling = self._settings.response if turn % 2 else self._settings.instruction
        end = template.answer_end if turn % 2 else template.turn_end
        return Request(self._index, turn, self._seed, prompt, sampling, end, opening)


def _message(role: str, content: str) -> "Message":
    return {"role": role, "content": content}
