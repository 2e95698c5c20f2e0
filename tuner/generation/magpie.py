"""Magpie (arXiv 2406.08464) in two turns: the model writes the user's instruction, then answers it.

An aligned chat model that is prompted with its own template, up to where the user's words begin, continues with an
instruction. The same template around that instruction then prompts for the response. No row is dropped: one that is
empty or cut off is kept, and marked in `outcome`.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tuner.generation import seeds
from tuner.generation.engines import Completion, Engine, Request
from tuner.generation.settings import Generation
from tuner.generation.shards import ShardSpec
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

NO_COMPLETION = Completion("", 0, "stop")


def draw(
    engine: Engine,
    template: Template,
    generation: Generation,
    shard: ShardSpec,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Generates the rows of one shard. A response is requested as soon as its instruction is complete.

    Args:
        engine: The engine, with the generator loaded.
        template: The generator's chat template.
        generation: The recipe's section on generation.
        shard: The shard.
        on_progress: Called with the number of finished turns, two per row, and of tokens sampled so far.

    Returns:
        The rows in order, with `SCHEMA`.
    """
    prefix = template.prefix if generation.prefix is None else generation.prefix
    requests = deque(
        Request(
            row, 0, seeds.row_seed(shard.seed, shard.number, row), prefix, generation.instruction, template.turn_end
        )
        for row in range(shard.rows)
    )
    instructions: dict[int, Completion] = {}
    responses: dict[int, Completion] = {}
    prompts: dict[int, str] = {}
    token_count = 0

    def on_tokens(tokens: int) -> None:
        nonlocal token_count
        token_count += tokens
        on_progress(len(instructions) + len(responses), token_count)

    for request, completion in engine.complete(requests, on_tokens):
        row = request.row
        if request.turn == 0:
            instructions[row] = completion
            if completion.text:
                prompts[row] = f"{prefix}{completion.text}{template.suffix}"
                requests.append(Request(row, 1, request.seed, prompts[row], generation.response))
        else:
            responses[row] = completion
        on_progress(len(instructions) + len(responses), token_count)
    rows = [
        _row(shard, row, prefix, prompts.get(row, ""), instructions[row], responses.get(row))
        for row in range(shard.rows)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    shard: ShardSpec,
    index: int,
    prefix: str,
    prompt: str,
    instruction: Completion,
    response: Completion | None,
) -> dict[str, Any]:
    answer = response or NO_COMPLETION
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
