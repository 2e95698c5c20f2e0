"""Magpie (arXiv 2406.08464) in two turns: the model writes the user's instruction, then answers it.

An aligned chat model that is prompted with its own template, up to where the user's words begin, continues with an
instruction. The same template around that instruction then prompts for the response; the thoughts of a reasoning model
are kept apart from it. No row is dropped: one that is empty or cut off is kept, and marked in `outcome`; an instruction
that is gets no response.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tuner.generation import seeds
from tuner.generation.engines import Completion, Engine, Request
from tuner.generation.settings import Generation, System
from tuner.generation.shards import ShardSpec
from tuner.generation.systems import chosen
from tuner.models.chat import Chat
from tuner.models.thoughts import Said

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        ("thoughts", pa.string()),
        ("system", pa.string()),
        ("category", pa.string()),
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


@dataclass(frozen=True)
class Turn:
    """A turn that was drawn.

    Attributes:
        prompt: What the model continued.
        completion: How it did.
        said: Its words.
    """

    prompt: str
    completion: Completion
    said: Said


def draw(
    engine: Engine,
    chat: Chat,
    generation: Generation,
    shard: ShardSpec,
    on_progress: Callable[[int, int], None],
    answered: bool = True,
) -> pa.Table:
    """Generates the rows of one shard. A response is requested next as soon as its instruction is complete.

    Responses are longer, so that the last rows to end would be these if they were begun last.

    Args:
        engine: The engine, with the generator loaded.
        chat: The generator's tokenizer and chat template.
        generation: The recipe's section on generation.
        shard: The shard.
        on_progress: Called with the number of finished turns, two per row, and of tokens sampled so far.
        answered: Whether responses are drawn, too.

    Returns:
        The rows in order, with `SCHEMA`.

    Raises:
        InputError: If the template renders nothing before the user's words.
    """
    template = chat.template
    row_seeds = [seeds.row_seed(shard.seed, shard.number, row) for row in range(shard.rows)]
    systems = [chosen(generation.system, generation.languages, seed) for seed in row_seeds]
    prompts = {
        prompt: chat.beginning(generation.prefix, prompt)
        for prompt in dict.fromkeys(system.prompt if system else None for system in systems)
    }
    # Words that a recipe's prefix has behind the template's own begin the instruction.
    begun = (generation.prefix or "").removeprefix(template.prefix)
    begun = begun if generation.prefix and generation.prefix.startswith(template.prefix) else ""
    answering = chat.opening(generation.response_system)
    requests = deque[Request]()
    begins = [prompts[system.prompt if system else None] for system in systems]
    times = Counter(begins)
    for row, (seed, prompt) in enumerate(zip(row_seeds, begins, strict=True)):
        opening = prompt if times[prompt] > 1 else ""
        requests.append(Request(row, 0, seed, prompt, generation.instruction, template.turn_end, opening))
    instructions: dict[int, Turn] = {}
    responses: dict[int, Turn] = {}
    token_count = 0

    def on_tokens(tokens: int) -> None:
        nonlocal token_count
        token_count += tokens
        on_progress(len(instructions) + len(responses), token_count)

    for request, completion in engine.complete(requests, on_tokens):
        row = request.row
        if request.turn == 0:
            text = chat.plain(f"{begun}{completion.text}") if completion.text.strip() else ""
            instructions[row] = Turn(request.prompt, completion, Said("", text))
            if answered and text and completion.finish == "stop":
                answer = chat.healed(f"{answering}{text}{template.suffix}")
                requests.appendleft(
                    Request(row, 1, request.seed, answer, generation.response, template.answer_end, answering)
                )
        else:
            responses[row] = Turn(request.prompt, completion, chat.said(completion.text, request.prompt))
        on_progress(len(instructions) + len(responses), token_count)
    rows = [_row(shard, row, systems[row], instructions[row], responses.get(row)) for row in range(shard.rows)]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(
    shard: ShardSpec, index: int, system: System | None, instruction: Turn, response: Turn | None
) -> dict[str, Any]:
    asked, answered = instruction.said.answer, response.said.answer if response else ""
    return {
        "row_id": seeds.row_id(shard.seed, shard.number, index),
        "shard": shard.number,
        "index": index,
        "seed": seeds.row_seed(shard.seed, shard.number, index),
        "instruction": asked,
        "response": answered,
        "thoughts": response.said.thoughts if response else "",
        "system": system.prompt if system else "",
        "category": system.category if system else "",
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}],
        "instruction_prompt": instruction.prompt,
        "response_prompt": response.prompt if response else "",
        "instruction_finish": instruction.completion.finish,
        "response_finish": response.completion.finish if response else "skipped",
        "instruction_tokens": instruction.completion.tokens,
        "response_tokens": response.completion.tokens if response else 0,
        "outcome": _outcome(instruction, response),
    }


def _outcome(instruction: Turn, response: Turn | None) -> str:
    if not instruction.said.answer:
        return "empty_instruction"
    if instruction.completion.finish == "length":
        return "cut_instruction"
    if response is None or not response.said.answer:
        return "empty_response"
    return "cut_response" if response.completion.finish == "length" else "complete"
