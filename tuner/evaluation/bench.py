"""The bench on which subjects are measured: the same held-out rows, encoded once, for everyone."""

import gc
from pathlib import Path
from typing import Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.evaluation import generation, loss, statistics
from tuner.progress import Event, emit
from tuner.recipe import Recipe

LOSSES = pa.schema({"subject": pa.string(), "row_id": pa.string(), "loss_sum": pa.float64(), "tokens": pa.int64()})
SAMPLES = pa.schema({name: pa.string() for name in ("subject", "row_id", "instruction", "reference", "completion")})


class Bench:
    """The held-out rows, encoded once, and what was measured on them.

    Args:
        recipe: Names the student, and how much is measured.
        validation: `validation.parquet` of a split.

    Raises:
        StageError: If no held-out row has a completion within `max_length`.
    """

    def __init__(self, recipe: Recipe, validation: Path) -> None:
        from tuner.models import precision
        from tuner.training.student import tokenizer_of

        self.recipe = recipe
        self.dtype = precision.inference()
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
        self.model = loading.load_model(self.recipe.models.student, self.dtype, quantization)

    def score(self, subject: str, model: Any, stage: str = "evaluate") -> None:
        """The loss of a subject on every row."""
        total = len(self.rows)
        self.losses[subject] = loss.losses(
            model,
            self.encoded,
            self.tokenizer.pad_token_id,
            progress=lambda done: emit(Event(stage, subject, done=done, total=total)),
        )

    def measure(self, subject: str, model: Any) -> None:
        """Losses, samples and speed of a subject."""
        self.score(subject, model)
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

    def write_losses(self, subjects: list[str], folder: Path) -> None:
        """Writes `losses.parquet`, subject after subject."""
        losses = [
            {"subject": subject, "row_id": row["row_id"], "loss_sum": loss_sum, "tokens": tokens}
            for subject in subjects
            for row, loss_sum, tokens in zip(self.rows, self.losses[subject], self.tokens, strict=True)
        ]
        parquet.write(pa.Table.from_pylist(losses, schema=LOSSES), folder / "losses.parquet")

    def write_samples(self, subjects: list[str], folder: Path) -> None:
        """Writes `samples.parquet`, subject after subject."""
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
        parquet.write(pa.Table.from_pylist(samples, schema=SAMPLES), folder / "samples.parquet")
