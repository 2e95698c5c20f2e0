"""Our engine against bare `generate`, alternating: the same prompts, batch size and number of steps.

Both generate instructions with the quickstart's generator. Speed is slots per second (rows times steps, including
finished rows), since sampled rows differ in length.
"""

import statistics
import time
from collections import deque
from typing import Any

from tuner import loading
from tuner.generation import seeds
from tuner.generation.engines import Request
from tuner.generation.engines.transformers import TransformersEngine
from tuner.generation.settings import Sampling
from tuner.models import precision
from tuner.models.chat import Chat
from tuner.models.loading import load_model, load_tokenizer

ROWS = 24
TOKENS = 48
ROUNDS = 5


def measure() -> dict[str, float]:
    """Median slots per second of both, and the median ratio."""
    model_name = loading.load("quickstart").models.generator
    engine = TransformersEngine(model_name, ROWS)
    chat = Chat(load_tokenizer(model_name), model_name)
    tokenizer = chat.tokenizer
    model: Any = load_model(model_name, precision.inference())
    tokenizer.padding_side = "left"
    prompt = chat.beginning()
    sampling = Sampling(temperature=1.0, top_p=0.95, max_tokens=TOKENS)
    inputs = tokenizer([prompt] * ROWS, add_special_tokens=False, return_tensors="pt").to(model.device)

    def ours(turn: int) -> float:
        requests = deque(
            Request(row, 0, seeds.row_seed(turn, 0, row), prompt, sampling, chat.template.turn_end)
            for row in range(ROWS)
        )
        clock = time.perf_counter()
        done = [completion for _, completion in engine.complete(requests, lambda tokens: None)]
        return ROWS * max(completion.tokens for completion in done) / (time.perf_counter() - clock)

    def bare(_: int) -> float:
        clock = time.perf_counter()
        output = model.generate(**inputs, do_sample=True, temperature=1.0, top_p=0.95, top_k=0, max_new_tokens=TOKENS)
        return ROWS * (output.shape[1] - inputs["input_ids"].shape[1]) / (time.perf_counter() - clock)

    ours(0)  # warm-up
    bare(0)
    speeds = [(ours(turn), bare(turn)) for turn in range(1, ROUNDS + 1)]
    return {
        "ours": statistics.median(speed for speed, _ in speeds),
        "bare": statistics.median(speed for _, speed in speeds),
        "ratio": statistics.median(mine / other for mine, other in speeds),
    }
