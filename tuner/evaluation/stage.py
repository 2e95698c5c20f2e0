"""The evaluation stage: base and adapters on the same held-out tokens, with intervals, samples and speed."""

import gc
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.evaluation import generation, loss, statistics
from tuner.evaluation.subjects import merged, wearing
from tuner.progress import Event, emit
from tuner.recipe import Recipe

BASE = "base"

LOSSES = pa.schema({"subject": pa.string(), "row_id": pa.string(), "loss_sum": pa.float64(), "tokens": pa.int64()})
SAMPLES = pa.schema({name: pa.string() for name in ("subject", "row_id", "instruction", "reference", "completion")})


def evaluate(recipe: Recipe, validation: Path, adapters: dict[str, Path], folder: Path) -> dict[str, Any]:
    """Scores the student and every adapter.

    A quantized adapter is scored on the quantized student it was trained on. The base is scored in 4 bit if all
    adapters are, so that like is compared with like; `quantization` in the metrics says in what everyone was scored.

    Args:
        recipe: The recipe.
        validation: `validation.parquet` of the split.
        adapters: The folder of every adapter, by name.
        folder: Gets `losses.parquet` and `samples.parquet`.

    Returns:
        The metrics of the artifact.

    Raises:
        StageError: If no held-out row has a completion within `max_length`.
    """
    began = time.perf_counter()
    bench = _Bench(recipe, validation)
    quantized = {name: recipe.training[name].quantization for name in adapters}
    kinds = set(quantized.values())
    of_base = kinds.pop() if len(kinds) == 1 else None
    for quantization in sorted({of_base, *quantized.values()}, key=str):
        bench.load(quantization)
        if quantization == of_base:
            bench.measure(BASE, bench.model)
        mine = {name: path for name, path in adapters.items() if quantized[name] == quantization}
        for name, path in mine.items():
            with wearing(bench.model, path) as model:
                bench.measure(name, model)
        for name, path in mine.items():
            # Added into 4-bit weights an adapter would be rounded with them: nobody serves it so.
            if recipe.training[name].method == "lora" and quantization is None:
                with merged(bench.model, path) as model:
                    bench.time(name, model, merged=True)
    subjects = [BASE, *adapters]
    bench.write(subjects, folder)
    return {
        "subjects": {subject: bench.interval(subject) for subject in subjects},
        "differences": [bench.difference(a, b) for index, b in enumerate(subjects) for a in subjects[index + 1 :]],
        "speed": bench.speeds,
        "quantization": {BASE: of_base, **quantized},
        "resamples": recipe.evaluation.resamples,
        "seconds": time.perf_counter() - began,
    }


class _Bench:
    """The held-out rows, encoded once, and what was measured on them."""

    def __init__(self, recipe: Recipe, validation: Path) -> None:
        from tuner.training.student import tokenizer_of

        self.recipe = recipe
        self.tokenizer: Any = tokenizer_of(recipe.models.student, recipe.models.generator)
        # The same tokens for everyone: the longest length that any adapter was trained at.
        length = max(settings.max_length for settings in recipe.training.values())
        rows = parquet.read(validation).to_pylist()
        encoded = [loss.encode(self.tokenizer, row["prompt"], row["completion"], length) for row in rows]
        self.rows = [row for row, ids in zip(rows, encoded, strict=True) if ids.tokens > 0]
        self.encoded = [ids for ids in encoded if ids.tokens > 0]
        if not self.rows:
            raise StageError(f"evaluation: none of {len(rows)} held-out rows has a response within {length} tokens")
        self.tokens = [ids.tokens for ids in self.encoded]
        self.shown = self.rows[: recipe.evaluation.samples]
        self.losses: dict[str, list[float]] = {}
        self.samples: dict[str, list[str]] = {}
        self.speeds: list[dict[str, Any]] = []
        self.model: Any = None

    def load(self, quantization: str | None) -> None:
        """Loads the student, after letting go of the one before."""
        from tuner.models import loading

        self.model = None
        gc.collect()
        self.model = loading.load_model(self.recipe.models.student, quantization)

    def measure(self, subject: str, model: Any) -> None:
        """Losses, samples and speed of a subject."""
        total = len(self.rows)
        self.losses[subject] = loss.losses(
            model,
            self.encoded,
            self.tokenizer.pad_token_id,
            progress=lambda done: emit(Event("evaluate", subject, done=done, total=total)),
        )
        prompts = [row["prompt"] for row in self.shown]
        self.samples[subject] = generation.complete(
            model, self.tokenizer, prompts, self.recipe.evaluation.sample_tokens
        )
        self.time(subject, model, merged=False)

    def time(self, subject: str, model: Any, merged: bool) -> None:
        """Times one batch of generation."""
        tokens = self.recipe.evaluation.sample_tokens
        prompts = [row["prompt"] for row in self.shown]
        rate = generation.speed(model, self.tokenizer, prompts, tokens)
        self.speeds.append(
            {
                "subject": subject,
                "merged": merged,
                "batch_size": len(prompts),
                "new_tokens": tokens,
                "tokens_per_second": rate,
            }
        )

    def interval(self, subject: str) -> dict[str, Any]:
        """A subject's loss per completion token, with its interval."""
        low, high = statistics.interval(
            self.losses[subject], self.tokens, self.recipe.evaluation.resamples, self.recipe.seed
        )
        tokens = sum(self.tokens)
        mean = sum(self.losses[subject]) / tokens
        return {"loss": mean, "low": low, "high": high, "tokens": tokens, "rows": len(self.rows)}

    def difference(self, a: str, b: str) -> dict[str, Any]:
        """The loss of a minus the loss of b, paired by row."""
        difference, low, high = statistics.difference(
            self.losses[a], self.losses[b], self.tokens, self.recipe.evaluation.resamples, self.recipe.seed
        )
        return {"a": a, "b": b, "difference": difference, "low": low, "high": high}

    def write(self, subjects: list[str], folder: Path) -> None:
        """Writes the tables, subject after subject."""
        losses = [
            {"subject": subject, "row_id": row["row_id"], "loss_sum": loss_sum, "tokens": tokens}
            for subject in subjects
            for row, loss_sum, tokens in zip(self.rows, self.losses[subject], self.tokens, strict=True)
        ]
        samples = [
            {
                "subject": subject,
                "row_id": row["row_id"],
                "instruction": row["prompt"][-1]["content"],
                "reference": row["completion"][-1]["content"],
                "completion": completion,
            }
            for subject in subjects
            for row, completion in zip(self.shown, self.samples[subject], strict=True)
        ]
        parquet.write(pa.Table.from_pylist(losses, schema=LOSSES), folder / "losses.parquet")
        parquet.write(pa.Table.from_pylist(samples, schema=SAMPLES), folder / "samples.parquet")
