"""The engine that the settings choose, on rows of the quickstart's generator: useful tokens a second.

    TUNER_ENGINE=vllm python -m benchmarks.engines [ROWS]

Opening it and its first rows are left out. With vLLM the share of prompts that it had computed before is printed, too.
"""

import sys
import time
from contextlib import closing

from tuner import loading
from tuner.generation import engines
from tuner.generation.engines import Engine
from tuner.generation.shards import ShardSpec
from tuner.generation.sources import Magpie, Sampling
from tuner.models import chat
from tuner.models.chat import Chat
from tuner.settings import settings

ROWS = 48


def measure(rows: int = ROWS) -> dict[str, float]:
    """Useful tokens a second, and what the engine has counted."""
    recipe = loading.load("quickstart")
    loaded = chat.load(recipe.models, "generator")
    with closing(engines.open_engine(loaded.model, settings())) as engine:
        _drawn(engine, loaded, 4, 0)
        clock = time.perf_counter()
        tokens = _drawn(engine, loaded, rows, 1)
        seconds = time.perf_counter() - clock
        counted = engine.facts().counted
    return {"tokens_per_second": tokens / seconds, **counted}


def _drawn(engine: Engine, loaded: Chat, rows: int, shard: int) -> int:
    """The tokens of the rows of a shard."""
    source = Magpie(
        instruction=Sampling(temperature=1.0, top_p=0.95, max_tokens=96),
        response=Sampling(temperature=0.7, top_p=0.9, max_tokens=256),
    )
    drawn = source.sample(engine, loaded, ShardSpec(0, 0, shard, rows))
    return sum(row["instruction_tokens"] + row["response_tokens"] for row in drawn)


if __name__ == "__main__":
    for key, value in measure(*map(int, sys.argv[1:])).items():
        print(f"{key:24}{value:8.2f}")
