"""Magpie (arXiv 2406.08464): the model writes the user's instruction, then answers it.

An aligned chat model that is prompted with its own template, up to where the user's words begin, continues with an
instruction. The same template around that instruction then prompts for the response; the thoughts of a reasoning model
are kept apart from it. With the conversation so far before it, the template prompts for the user's next turn. No row is
dropped: one that is empty or cut off is kept, and marked in `outcome`; an instruction that is gets no response.
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tuner.errors import InputError
from tuner.generation.sources.base import Drawing, Drawn, Sampling, Turn, outcome, row
from tuner.section import Section, added_field

if TYPE_CHECKING:
    from tuner.generation.engines import Completion, Request
    from tuner.models.chat import Chat
    from tuner.models.templates import Message
    from tuner.models.thoughts import Said

CHOICES = 1_000
"""The turn whose random numbers choose what is not sampled: the system prompt, and what an instruction begins with."""


class System(Section):
    """A system prompt that instructions are drawn under.

    Attributes:
        prompt: Its words.
        weight: How often it is chosen, against the others.
        category: What the rows are called that are drawn under it, in their column `category`.
    """

    prompt: str = Field(min_length=1)
    weight: float = Field(default=1.0, gt=0)
    category: str = ""


def _systems(given: Any) -> Any:
    """Plain texts as system prompts of equal weight."""
    listed = [given] if isinstance(given, str) else given
    return [{"prompt": each} if isinstance(each, str) else each for each in listed] if listed else listed


class Magpie(Drawn):
    """Instructions and responses of a chat model.

    Attributes:
        prefix: The prompt that the generator continues with an instruction; by default what its chat template renders
            before the user's words.
        begins: Texts, with one of which every instruction begins, chosen by the row's seed; by default the model
            begins.
        system: System prompts, one of which every instruction is drawn under; by default the chat template's own.
        response_system: The system prompt that every response is drawn under; by default the chat template's own.
        turns: Exchanges of a conversation. It ends before an exchange that is empty or cut off.
        instruction: Sampling of the user's turns.
        response: Sampling of the assistant's turns.
    """

    source: Literal["magpie"] = "magpie"
    prefix: str | None = None
    begins: tuple[Annotated[str, Field(min_length=1)], ...] = added_field(())
    system: Annotated[tuple[System, ...], BeforeValidator(_systems)] = added_field(())
    response_system: str | None = added_field(None, min_length=1)
    turns: int = added_field(1, ge=1, le=10)
    instruction: Sampling = Sampling()
    response: Sampling = Sampling()

    @model_validator(mode="after")
    def _one_opening(self) -> "Magpie":
        if self.prefix is not None and self.system:
            raise ValueError("prefix replaces the whole beginning of a prompt, so that system is not read; set one")
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
                f"response.until: {drawing.model} thinks before it answers, and its thoughts have line breaks; "
                "set it to turn"
            )
        rows = [_Conversation(self, drawing, index) for index in range(drawing.shard.rows)]
        drawing.complete(
            [each.first() for each in rows], lambda request, completion: rows[request.row].then(request, completion)
        )
        return [each.row() for each in rows]


class _Conversation:
    """A row while it is drawn."""

    def __init__(self, settings: Magpie, drawing: Drawing, index: int) -> None:
        from tuner.generation import seeds

        self._settings, self._drawing, self._index = settings, drawing, index
        self._chat: Chat = drawing.chat
        self._seed = seeds.row_seed(drawing.shard.seed, drawing.shard.number, index, drawing.name)
        which, begun = seeds.uniforms(self._seed, CHOICES, 2).tolist()
        self._system = _weighted(settings.system, drawing.shard.weights, which)
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
        if not self._turns[-1].whole or len(self._turns) == 2 * self._settings.turns:
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


def _weighted(systems: Sequence[System], weights_: Sequence[float], uniform: float) -> System | None:
    """One of the system prompts, by their weights or others, and a number in [0, 1)."""
    if not systems:
        return None
    weights = list(accumulate(weights_ or [system.weight for system in systems]))
    return systems[bisect(weights, uniform * weights[-1], hi=len(systems) - 1)]
