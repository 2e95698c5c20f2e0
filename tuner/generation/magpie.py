"""Magpie (arXiv 2406.08464) in two turns: the model writes the user's instruction, then answers it.

An aligned chat model that is given its own template up to where the user's words would begin goes on with an
instruction. The same template around that instruction then asks for the response. Nothing that came is dropped: a row
that is empty or cut off is kept and says so.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tuner.generation import seeds
from tuner.generation.engines import Completion, Engine, Request
from tuner.generation.settings import Generation
from tuner.generation.shards import Drawn
from tuner.models.templates import Template

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        ("messages", MESSAGES),
        ("instruction_prompt", pa.string()),
        ("response_prompt", pa.string()),
        ("instruction_finish", pa.string()),
        ("response_finish", pa.string()),
        ("instruction_tokens", pa.int32()),
        ("response_tokens", pa.int32()),
        ("outcome", pa.string()),
    ]
)

NOTHING = Completion("", 0, "stop")


def draw(
    engine: Engine,
    template: Template,
    generation: Generation,
    shard: Drawn,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Draws the rows of one shard. A response is asked for as soon as its instruction is there.

    Args:
        engine: Completes with the generator.
        template: The generator's.
        generation: The recipe's section.
        shard: Which one.
        on_progress: Called with (turns finished of two a row, tokens drawn so far).

    Returns:
        One row each, in order, of `SCHEMA`.
    """
    prefix = template.prefix if generation.prefix is None else generation.prefix
    asked = deque(
        Request(
            row, 0, seeds.row_seed(shard.seed, shard.number, row), prefix, generation.instruction, template.turn_end
        )
        for row in range(shard.rows)
    )
    instructions: dict[int, Completion] = {}
    responses: dict[int, Completion] = {}
    prompts: dict[int, str] = {}
    drawn = 0

    def on_tokens(tokens: int) -> None:
        nonlocal drawn
        drawn += tokens
        on_progress(len(instructions) + len(responses), drawn)

    for request, completion in engine.complete(asked, on_tokens):
        row = request.row
        if request.turn == 0:
            instructions[row] = completion
            if completion.text:
                prompts[row] = f"{prefix}{completion.text}{template.suffix}"
                asked.append(Request(row, 1, request.seed, prompts[row], generation.response))
        else:
            responses[row] = completion
        on_progress(len(instructions) + len(responses), drawn)
    rows = [
        _row(shard, row, prefix, prompts.get(row, ""), instructions[row], responses.get(row))
        for row in range(shard.rows)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    shard: Drawn,
    index: int,
    prefix: str,
    prompt: str,
    instruction: Completion,
    response: Completion | None,
) -> dict[str, Any]:
    answer = response or NOTHING
    return {
        "row_id": seeds.row_id(shard.seed, shard.number, index),
        "shard": shard.number,
        "index": index,
        "seed": seeds.row_seed(shard.seed, shard.number, index),
        "instruction": instruction.text,
        "response": answer.text,
        "messages": [
            {"role": "user", "content": instruction.text},
            {"role": "assistant", "content": answer.text},
        ],
        "instruction_prompt": prefix,
        "response_prompt": prompt,
        "instruction_finish": instruction.finish,
        "response_finish": response.finish if response else "skipped",
        "instruction_tokens": instruction.tokens,
        "response_tokens": answer.tokens,
        "outcome": _outcome(instruction, answer),
    }


def _outcome(instruction: Completion, response: Completion) -> str:
    if not instruction.text:
        return "empty_instruction"
    if instruction.finish == "length":
        return "cut_instruction"
    if not response.text:
        return "empty_response"
    return "cut_response" if response.finish == "length" else "complete"
