"""Magpie (arXiv 2406.08464) in two turns: the model writes the user's instruction, then answers it.

An aligned chat model that is given its own template up to where the user's words would begin goes on with an
instruction. The same template around that instruction then asks for the response. Nothing that came is dropped: a row
that is empty or cut off is kept and says so.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tuner.generation import seeds
from tuner.generation.engines import Completion, Engine, Request
from tuner.generation.settings import Generation

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
    generation: Generation,
    recipe_seed: int,
    shard: int,
    count: int,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Draws the rows of one shard.

    Args:
        engine: Holds the generator.
        generation: The recipe's section.
        recipe_seed: The recipe's seed.
        shard: The shard's number.
        count: Rows in it.
        on_progress: Called with (turns finished of 2 x count, tokens drawn so far).

    Returns:
        One row each, in order, of `SCHEMA`.
    """
    template = engine.template
    prefix = template.prefix if generation.prefix is None else generation.prefix
    row_seeds = [seeds.row_seed(recipe_seed, shard, index) for index in range(count)]

    instructions = engine.complete(
        [Request(prefix, seed, 0) for seed in row_seeds], generation.instruction, template.turn_end, on_progress
    )
    drawn = sum(instruction.tokens for instruction in instructions)
    asked = [i for i, instruction in enumerate(instructions) if instruction.text]
    prompts = [f"{prefix}{instruction.text}{template.suffix}" for instruction in instructions]
    answered = engine.complete(
        [Request(prompts[i], row_seeds[i], 1) for i in asked],
        generation.response,
        "",
        lambda finished, tokens: on_progress(count + finished, drawn + tokens),
    )
    responses = dict(zip(asked, answered, strict=True))
    rows = [
        _row(recipe_seed, shard, index, prefix, prompts[index], instruction, responses.get(index))
        for index, instruction in enumerate(instructions)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    recipe_seed: int,
    shard: int,
    index: int,
    prefix: str,
    prompt: str,
    instruction: Completion,
    response: Completion | None,
) -> dict[str, Any]:
    answer = response or NOTHING
    return {
        "row_id": seeds.row_id(recipe_seed, shard, index),
        "shard": shard,
        "index": index,
        "seed": seeds.row_seed(recipe_seed, shard, index),
        "instruction": instruction.text,
        "response": answer.text,
        "messages": [
            {"role": "user", "content": instruction.text},
            {"role": "assistant", "content": answer.text},
        ],
        "instruction_prompt": prefix,
        "response_prompt": prompt if response else "",
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
