"""Our training against TRL's plain trainer with its best settings, and against padding to a maximum length.

Each variant trains the quickstart's LoRA on the quickstart's rows in a separate process; the variants alternate. Speed
is non-pad tokens per second in the training loop.

    python -m benchmarks.training methods [NAME ...]

measures every method, with its defaults, against TRL's plain trainer with the same.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuner import loading
from tuner.artifacts.store import Store
from tuner.registry import planned
from tuner.settings import settings
from tuner.training.job import METRICS, Job
from tuner.training.methods import METHODS

ROUNDS = 3

ORIGINAL_LENGTH = 2048
"""The length to which the recipe `original` pads."""

VARIANTS = ("ours", "plain", "padded", "original")


def measure() -> dict[str, float]:
    """Median tokens per second of every variant, and the ratio of ours to each."""
    speeds = [{name: _child(name) for name in VARIANTS} for _ in range(ROUNDS)]
    medians = {name: statistics.median(speed[name] for speed in speeds) for name in VARIANTS}
    ratios = {
        f"against_{name}": statistics.median(speed["ours"] / speed[name] for speed in speeds) for name in VARIANTS[1:]
    }
    return {**medians, **ratios}


def methods(names: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Every method's name, its tokens per second (median), and the ratio to TRL's plain trainer (median of pairs)."""
    for name in names:
        speeds = [(_child("ours", name), _child("plain", name)) for _ in range(ROUNDS)]
        yield name, statistics.median(ours for ours, _ in speeds), statistics.median(a / b for a, b in speeds)


def _child(variant: str, method: str = "") -> float:
    command = [sys.executable, "-m", "benchmarks.training", variant, method]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def _job(folder: Path, method: str) -> Job:
    own = [f"training.lora={{method: {method}, epochs: 1, max_length: 512}}"] if method else ["training.lora.epochs=1"]
    recipe = loading.load("quickstart", own)
    store = Store(settings().store)
    split = store.find("split", planned(recipe).one("split").fingerprint)
    if split is None:
        raise SystemExit("run the quickstart first: training uses its rows")
    return Job(
        adapter="lora",
        settings=recipe.training["lora"],
        models=recipe.models,
        seed=recipe.seed,
        data=store.fetch(split, "train.parquet"),
        output=folder / "output",
        checkpoints=folder / "checkpoints",
    )


def _ours(job: Job) -> float:
    from tuner.training import worker

    worker.train(job, sys.stderr)
    return json.loads((job.output / METRICS).read_text())["tokens_per_second"]


def _plain(job: Job, **options: Any) -> float:
    from trl.trainer.sft_trainer import SFTTrainer

    from tuner.models import loading as models
    from tuner.models import precision
    from tuner.models.chat import load
    from tuner.training import arguments, encoding

    student = load(job.models, "student")
    model = models.load_model(job.models.student, precision.training())
    given = arguments.supervised(job)
    given.train_sampling_strategy = "group_by_length"
    given.save_strategy = "no"
    for key, value in options.items():
        setattr(given, key, value)
    counted = 0

    class Counting(SFTTrainer):
        """Counts non-pad tokens, as our trainer does."""

        def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            nonlocal counted
            counted += int(inputs["attention_mask"].sum())
            return super().training_step(model, inputs, *args, **kwargs)

    trainer = Counting(
        model=model,
        args=given,
        train_dataset=encoding.encode(encoding.rows_of(job.data), student, job.settings.max_length),
        processing_class=student.tokenizer,
        peft_config=job.settings.peft_config(model, job.models.student),
    )
    seconds = trainer.train().metrics["train_runtime"]
    return counted / seconds


if __name__ == "__main__":
    if sys.argv[1] == "methods":
        for name, speed, ratio in methods(sys.argv[2:] or list(METHODS)):
            print(f"{name:15}{speed:8.0f} tokens/s  {ratio:.2f} x plain TRL", flush=True)
        sys.exit()
    with tempfile.TemporaryDirectory() as scratch:
        job = _job(Path(scratch), sys.argv[2])
        job.checkpoints.mkdir()
        job.output.mkdir()
        match sys.argv[1]:
            case "ours":
                speed = _ours(job)
            case "plain":
                speed = _plain(job)
            case "padded":
                speed = _plain(job, pad_to_multiple_of=job.settings.max_length)
            case _:
                # One step on the longest row, which favours it; a batch of four would need more than 24 GB.
                speed = _plain(
                    job,
                    pad_to_multiple_of=ORIGINAL_LENGTH,
                    max_steps=1,
                    per_device_train_batch_size=1,
                    gradient_accumulation_steps=1,
                )
    print(speed)
