"""What sources that draw rows with a model have in common."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tuner.generation.shards import ShardSpec
from tuner.reading.settings import Source
from tuner.section import Section, added_field

if TYPE_CHECKING:
    from tuner.generation.engines import Completion, Engine, Request
    from tuner.models.chat import Chat
    from tuner.models.thoughts import Said

Probability = Annotated[float, Field(gt=0, le=1)]


class Sampling(Section):
    """Sampling settings of one turn.

    Attributes:
        temperature: Divides the logits.
        top_p: Keeps the smallest set of tokens with this probability mass.
        min_p: Drops tokens whose probability is below this fraction of the most probable one's.
        max_tokens: The turn is cut off after this many tokens.
        until: What ends the turn besides the model: nothing (`turn`), its first blank line (`paragraph`), or its first
            line break (`line`).
    """

    temperature: float = Field(default=1.0, gt=0, le=5)
    top_p: Probability = 1.0
    min_p: float = Field(default=0.0, ge=0, lt=1)
    max_tokens: int = Field(default=512, ge=1, le=32768)
    until: Literal["turn", "paragraph", "line"] = added_field("turn")

    @property
    def break_text(self) -> str:
        """The text of `until`; empty if only the model ends the turn."""
        return {"turn": "", "paragraph": "\n\n", "line": "\n"}[self.until]


@dataclass
class Drawing:
    """One shard that is being drawn.

    Attributes:
        engine: The engine, with the model loaded.
        chat: The model's tokenizer and chat template.
        shard: The shard.
        made_from: What rows are made from, one for each row of the shard: columns of what the source reads; empty
            if it reads nothing.
        on_progress: Called with the number of finished turns, and of tokens sampled so far.
        answered: Whether responses are drawn, too.
    """

    engine: "Engine"
    chat: "Chat"
    shard: ShardSpec
    made_from: Sequence[dict[str, Any]]
    on_progress: Callable[[int, int], None]
    answered: bool = True
    finished: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)

    def seed(self, index: int) -> int:
        """The seed of a row of the shard."""
        from tuner.generation import seeds

        return seeds.row_seed(self.shard.seed, self.shard.number, index, self.shard.source)

    def complete(
        self,
        requests: "Iterable[Request]",
        then: "Callable[[Request, Completion], Request | None]",
    ) -> None:
        """Completes requests, and those that follow from them, which come next.

        Responses are longer than instructions, so that the last rows to end would be these if they were begun last.

        Args:
            requests: The first.
            then: Takes a completion, and returns the request that follows from it, if any.
        """
        waiting = deque(requests)

        def on_tokens(tokens: int) -> None:
            self.tokens += tokens
            self.on_progress(self.finished, self.tokens)

        for request, completion in self.engine.complete(waiting, on_tokens):
            self.finished += 1
            if following := then(request, completion):
                waiting.appendleft(following)
            self.on_progress(self.finished, self.tokens)


@dataclass(frozen=True)
class Turn:
    """A turn that was drawn.

    Attributes:
        prompt: What the model continued.
        completion: How it did.
        said: Its words.
    """

    prompt: str
    completion: "Completion"
    said: "Said"

    @property
    def whole(self) -> bool:
        """Whether it has words and was not cut off."""
        return bool(self.said.answer) and self.completion.finish == "stop"


class Drawn(Source):
    """A source whose rows are drawn with a model.

    Attributes:
        generator: The model; by default `models.generator`.
    """

    generator: str | None = added_field(None)

    @property
    def turns_of_row(self) -> int:
        """The most turns that are drawn for a row."""
        return 2

    def sample(self, engine: "Engine", chat: "Chat", shard: ShardSpec, answered: bool = True) -> list[dict[str, Any]]:
        """Draws a shard outside of a run, from nothing.

        Args:
            engine: The engine, with the model loaded.
            chat: The model's tokenizer and chat template.
            shard: The shard.
            answered: Whether responses are drawn, too.
        """
        return self.draw(Drawing(engine, chat, shard, (), lambda *_: None, answered))

    def draw(self, drawing: Drawing) -> list[dict[str, Any]]:
        """Draws the rows of a shard, in order, with the columns of `tuner.rows.SCHEMA` that it knows.

        Raises:
            InputError: If the model's chat template cannot be used so.
        """
        raise NotImplementedError


def outcome(instruction: Turn | None, response: Turn | None) -> str:
    """What became of a row: `complete`, or which turn is empty or cut off."""
    if instruction is not None and not instruction.said.answer:
        return "empty_instruction"
    if instruction is not None and instruction.completion.finish == "length":
        return "cut_instruction"
    if response is None or not response.said.answer:
        return "empty_response"
    return "cut_response" if response.completion.finish == "length" else "complete"


def row(drawing: Drawing, index: int, **columns: Any) -> dict[str, Any]:
    """A row's columns, with those that every drawn row has.

    Args:
        drawing: The shard.
        index: The row's index in it.
        columns: Of `tuner.rows.SCHEMA`.
    """
    from tuner.generation import seeds

    shard = drawing.shard
    return {
        "row_id": seeds.row_id(shard.seed, shard.number, index, shard.source),
        "shard": shard.number,
        "index": index,
        "seed": drawing.seed(index),
        "source": shard.source,
        "origin": drawing.chat.model,
        "thoughts": "",
        "system": "",
        "category": "",
        **columns,
    }
