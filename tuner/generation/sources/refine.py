"""Rows of another source, improved by a model (BARE, Zhu et al. 2025, arXiv 2502.01697).

A base model, or a chat model at a high temperature, draws diverse rows; an instruction-tuned one rewrites each
instruction and answers it.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuner.generation.sources.base import Drawing, Drawn, Sampling, Turn, outcome, row
from tuner.section import added_field

if TYPE_CHECKING:
    from tuner.generation.engines import Completion, Request

ASK = """\
Below is a message that a user wrote to an assistant. Rewrite it, so that it is clear, complete and sensible, and asks \
for the same. If it makes no sense, write the sensible message that is nearest to it. Write nothing else.

{instruction}"""


class Refine(Drawn):
    """Instructions of another source, rewritten and answered.

    Attributes:
        of: The source, which stands above this one; its own rows are not curated.
        ask: What the model is asked, with `{instruction}` where the instruction stands.
        response_system: The system prompt that every response is drawn under; by default the chat template's own.
        instruction: Sampling of the instructions.
        response: Sampling of the responses.
    """

    source: Literal["refine"]
    of: str
    ask: str = Field(default=ASK, pattern=r"\{instruction\}")
    response_system: str | None = added_field(None, min_length=1)
    instruction: Sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=256)
    response: Sampling = Sampling(temperature=0.7, top_p=0.95)

    def draw(self, drawing: Drawing) -> list[dict[str, Any]]:
        """See `Drawn.draw`. A draft without an instruction, or whose instruction was cut off, is not refined."""
        from tuner.generation.engines import Request

        chat = drawing.chat
        end = chat.template.answer_end
        begun = [] if self.response_system is None else [{"role": "system", "content": self.response_system}]
        opening = chat.opening(self.response_system)
        turns: dict[int, list[Turn]] = {index: [] for index in range(len(drawing.made_from))}

        def then(request: "Request", completion: "Completion") -> "Request | None":
            turn = Turn(request.prompt, completion, chat.said(completion.text, request.prompt))
            turns[request.row].append(turn)
            if request.turn or not turn.whole:
                return None
            prompt = chat.prompt([*begun, {"role": "user", "content": turn.said.answer}])
            return Request(request.row, 1, request.seed, chat.healed(prompt), self.response, end, opening)

        drawing.complete(
            [
                Request(
                    index,
                    0,
                    drawing.seed(index),
                    chat.healed(chat.prompt([{"role": "user", "content": self._asked(draft["instruction"])}])),
                    self.instruction,
                    end,
                    chat.opening(),
                )
                for index, draft in enumerate(drawing.made_from)
                if draft["instruction"] and draft["instruction_finish"] == "stop"
            ],
            then,
        )
        return [self._row(drawing, index, turns[index], draft) for index, draft in enumerate(drawing.made_from)]

    def _asked(self, instruction: str) -> str:
        return self.ask.replace("{instruction}", instruction)

    def _row(self, drawing: Drawing, index: int, turns: list[Turn], draft: dict[str, Any]) -> dict[str, Any]:
        asked, answered = turns[0] if turns else None, turns[1] if len(turns) > 1 else None
        words = asked.said.answer if asked else ""
        response = answered.said.answer if answered else ""
        return row(
            drawing,
            index,
            origin=draft["row_id"],
            instruction=words,
            response=response,
            thoughts=answered.said.thoughts if answered else "",
            category=draft["category"] or "",
            messages=[{"role": "user", "content": words}, {"role": "assistant", "content": response}],
            instruction_prompt=asked.prompt if asked else "",
            response_prompt=answered.prompt if answered else "",
            instruction_finish=asked.completion.finish if asked else "skipped",
            response_finish=answered.completion.finish if answered else "skipped",
            instruction_tokens=asked.completion.tokens if asked else 0,
            response_tokens=answered.completion.tokens if answered else 0,
            outcome=outcome(asked, answered) if asked else "empty_instruction",
        )
