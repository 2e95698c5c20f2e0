"""Texts of a person's as responses: the model writes the instruction that each of them answers.

Instruction backtranslation (Li et al. 2023, arXiv 2308.06259) without its training: an aligned chat model is asked.
"""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tuner.generation.sources.base import Drawing, Drawn, Sampling, Turn, outcome, row
from tuner.reading.settings import Texts

if TYPE_CHECKING:
    from tuner.generation.engines import Completion, Request

ASK = """\
Below is a text. Write the one question or instruction that it is a complete answer to, as a person would type it who \
has not seen the text. Write nothing else.

{text}"""


class Documents(Texts, Drawn):
    """Texts, with instructions that a model writes for them.

    Attributes:
        ask: What the model is asked, with `{text}` where the text stands.
        instruction: Sampling of the instructions.
    """

    source: Literal["documents"]
    ask: str = Field(default=ASK, pattern=r"\{text\}")
    instruction: Sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=96)

    @property
    def turns_of_row(self) -> int:
        """See `Drawn.turns_of_row`."""
        return 1

    def draw(self, drawing: Drawing) -> list[dict[str, Any]]:
        """See `Drawn.draw`."""
        from tuner.generation.engines import Request

        chat = drawing.chat
        requests: list[Request] = []
        for index, made_from in enumerate(drawing.made_from):
            asked = chat.prompt([{"role": "user", "content": self.ask.replace("{text}", made_from["text"])}])
            requests.append(
                Request(index, 0, drawing.seed(index), chat.healed(asked), self.instruction, chat.template.answer_end)
            )
        turns: dict[int, Turn] = {}

        def then(request: "Request", completion: "Completion") -> None:
            turns[request.row] = Turn(request.prompt, completion, chat.said(completion.text, request.prompt))

        drawing.complete(requests, then)
        return [
            row(
                drawing,
                index,
                origin=made_from["origin"],
                instruction=(asked := turns[index].said.answer),
                response=made_from["text"],
                messages=[{"role": "user", "content": asked}, {"role": "assistant", "content": made_from["text"]}],
                instruction_prompt=turns[index].prompt,
                response_prompt="",
                instruction_finish=turns[index].completion.finish,
                response_finish="stop",
                instruction_tokens=turns[index].completion.tokens,
                response_tokens=0,
                outcome=outcome(turns[index], None) if not turns[index].whole else "complete",
            )
            for index, made_from in enumerate(drawing.made_from)
        ]
