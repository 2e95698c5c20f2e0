"""Our engine against bare `generate` at its best batch, alternating: whole rows of the quickstart's generator.

A row is an instruction and its response. Bare `generate` draws batches of 32, all of equal length until the longest row
has ended. Useful tokens are those up to the end of a turn.

    python -m benchmarks.generation [ROWS [ROUNDS [RESPONSE_TOKENS]]]
"""

import statistics
import sys
import time
from typing import Any, NamedTuple

import torch

from tuner import loading
from tuner.generation.engines.transformers import TransformersEngine
from tuner.generation.shards import DEFAULT, ShardSpec
from tuner.generation.sources import Magpie, Sampling
from tuner.models import precision
from tuner.models.chat import Chat
from tuner.models.loading import load_model, load_tokenizer

BATCH = 32
ROWS, ROUNDS, RESPONSE_TOKENS = 256, 1, 256


class Drawn(NamedTuple):
    """What was drawn: useful tokens, rows with neither turn cut off, the share of slots that were useful, seconds."""

    tokens: int
    whole: int
    useful: float
    seconds: float


def measure(rows: int = ROWS, rounds: int = ROUNDS, response_tokens: int = RESPONSE_TOKENS) -> dict[str, float]:
    """Medians over the rounds: of both speeds in useful tokens a second, of their ratio, and of the useful share."""
    name = loading.load("quickstart").generator(DEFAULT)
    chat = Chat(load_tokenizer(name), name)
    source = Magpie(
        instruction=Sampling(temperature=1.0, top_p=0.95, max_tokens=96),
        response=Sampling(temperature=0.7, top_p=0.9, max_tokens=response_tokens),
    )
    engine = TransformersEngine(name, BATCH)
    model: Any = load_model(name, precision.inference())

    _ours(engine, chat, source, 4, 0)  # warm-up
    found = [(_ours(engine, chat, source, rows, turn), _bare(model, chat, source, rows)) for turn in range(rounds)]
    ours, bare = zip(*found, strict=True)

    def median(values: Any) -> float:
        return float(statistics.median(values))

    return {
        "ours": median(each.tokens / each.seconds for each in ours),
        "bare": median(each.tokens / each.seconds for each in bare),
        "ratio": median(
            one.tokens / one.seconds / (other.tokens / other.seconds) for one, other in zip(ours, bare, strict=True)
        ),
        "whole_a_minute": median(60 * each.whole / each.seconds for each in ours),
        "bare_whole_a_minute": median(60 * each.whole / each.seconds for each in bare),
        "useful": median(each.useful for each in ours),
        "bare_useful": median(each.useful for each in bare),
    }


def _ours(engine: TransformersEngine, chat: Chat, source: Magpie, rows: int, turn: int) -> Drawn:
    clock, before = time.perf_counter(), engine.computed
    shard = ShardSpec(0, turn, 0, rows)
    drawn = source.sample(engine, chat, shard)
    seconds = time.perf_counter() - clock
    tokens = sum(row["instruction_tokens"] + row["response_tokens"] for row in drawn)
    whole = sum(row["outcome"] == "complete" for row in drawn)
    return Drawn(tokens, whole, tokens / (BATCH * (engine.computed - before)), seconds)


@torch.inference_mode()
def _bare(model: Any, chat: Chat, source: Magpie, rows: int) -> Drawn:
    clock = time.perf_counter()
    tokens = computed = 0
    prompts, ended = [chat.beginning()] * rows, [True] * rows
    for sampling in (source.instruction, source.response):
        asked: list[str] = []
        for start in range(0, len(prompts), BATCH):
            done = _batch(model, chat, prompts[start : start + BATCH], sampling)
            computed += BATCH * max(len(ids) for ids, _ in done)
            tokens += sum(len(ids) for ids, _ in done)
            asked += [chat.template.answer_prompt(chat.plain(chat.tokenizer.decode(ids))) for ids, _ in done]
            for place, (_, whole) in enumerate(done, start):
                ended[place] &= whole
        prompts = asked
    return Drawn(tokens, sum(ended), tokens / computed, time.perf_counter() - clock)


def _batch(model: Any, chat: Chat, prompts: list[str], sampling: Sampling) -> list[tuple[list[int], bool]]:
    """The tokens of each row up to its end, and whether it ended."""
    chat.tokenizer.padding_side = "left"
    encoded = chat.tokenizer(prompts, add_special_tokens=False, padding=True, return_tensors="pt")
    inputs = {key: value for key, value in encoded.items() if key != "token_type_ids"}
    output = model.generate(
        **inputs,
        do_sample=True,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        max_new_tokens=sampling.max_tokens,
        pad_token_id=chat.tokenizer.pad_token_id,
    )
    rows = []
    for ids in output[:, inputs["input_ids"].shape[1] :].tolist():
        end = next((place for place, token in enumerate(ids) if token in chat.stop_ids), None)
        rows.append((ids, False) if end is None else (ids[: end + 1], True))
    return rows


if __name__ == "__main__":
    for key, value in measure(*map(int, sys.argv[1:])).items():
        print(f"{key:24}{value:8.2f}")
