"""Measures subjects (the base model and its adapters) on the same held-out rows, encoded once."""

import gc
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.evaluation import generation, statistics
from tuner.evaluation.metrics import Difference, Loss, Speed
from tuner.models import scoring
from tuner.progress import Event, emit

if TYPE_CHECKING:
    from tuner.recipe import Recipe

TIMED = 5
"""How often each subject's generation is timed: in turns, so that a slow spell of the machine affects all subjects."""

LOSSES = pa.schema({"subject": pa.string(), "row_id": pa.string(), "loss_sum": pa.float64(), "tokens": pa.int64()})
SAMPLES = pa.schema({name: pa.string() for name in ("subject", "row_id", "instruction", "reference", "completion")})


class Bench:
    """The encoded held-out rows, and the measurements on them.

    Args:
        recipe: Names the student, and the settings of the evaluation.
        validation: `validation.parquet` of a split.
        stage: The stage that progress is reported for.
        subjects: The number of subjects.
        timings: The number of timed generations, of all subjects together.

    Raises:
        StageError: If no held-out row has a completion within `max_length`.
    """

    def __init__(self, recipe: "Recipe", validation: Path, stage: str, subjects: int, timings: int = 0) -> None:
        from tuner.models import chat

        self.recipe = recipe
        self.chat = chat.load(recipe.models, "student")
        # The same tokens for all subjects: the largest length that any adapter was trained at.
        length = max(settings.max_length for settings in recipe.trained.values())
        rows = parquet.read(validation).to_pylist()
        encoded = [
            self.chat.answers(row["prompt"] + row["completion"], length, row.get("tools"), row.get("thoughts"))
            for row in rows
        ]
        self.rows = [row for row, answers in zip(rows, encoded, strict=True) if answers]
        # A row's loss is that of all its assistant's turns.
        self.encoded = [answers for answers in encoded if answers]
        if not self.rows:
            raise StageError(f"evaluation: none of {len(rows)} held-out rows has a response within {length} tokens")
        self.tokens = [sum(answer.tokens for answer in answers) for answers in self.encoded]
        self.sampled = self.rows[: recipe.evaluation.samples]
        self.losses: dict[str, list[float]] = {}
        self.samples: dict[str, list[str]] = {}
        self.rates: dict[tuple[str, bool], list[float]] = {}
        self.model: Any = None
        self._stage, self._total = stage, subjects * sum(map(len, self.encoded)) + timings

    def load(self, quantization: str | None) -> None:
        """Loads the student, after freeing the one before."""
        import torch

        from tuner.models import loading, precision

        self.model = None
        gc.collect()
        # With 4-bit linear layers the rest is small, and stays in float32.
        mixed = self.recipe.evaluation.precision == "mixed" and quantization is None
        dtype = torch.bfloat16 if mixed else torch.float32
        self.model = loading.load_model(self.recipe.models.student, dtype, quantization)
        if mixed:
            precision.in_float32(self.model)

    def score(self, subject: str, model: Any) -> None:
        """Computes the loss of a subject on every row."""
        before = self._done
        sums = iter(
            scoring.losses(
                model,
                [answer for answers in self.encoded for answer in answers],
                self.chat.tokenizer.pad_token_id,
                progress=lambda done: emit(Event(self._stage, done=before + done, total=self._total)),
            )
        )
        self.losses[subject] = [sum(islice(sums, len(answers))) for answers in self.encoded]

    def measure(self, subject: str, model: Any) -> None:
        """Computes losses and samples of a subject."""
        self.score(subject, model)
        prompts = [row["prompt"] for row in self.sampled]
        self.samples[subject] = generation.complete(
            model,
            self.chat,
            prompts,
            self.recipe.evaluation.sample_tokens,
            [row.get("tools") for row in self.sampled],
        )

    def time(self, subject: str, model: Any, merged: bool) -> None:
        """Times one batch of generation."""
        prompts = [row["prompt"] for row in self.sampled]
        rate = generation.speed(model, self.chat, prompts, self._timed_tokens)
        self.rates.setdefault((subject, merged), []).append(rate)
        emit(Event(self._stage, done=self._done, total=self._total))

    def speeds(self) -> list[Speed]:
        """Tokens per second of each subject: the mean over its timings, with its interval."""
        speeds = []
        for (subject, merged), rates in self.rates.items():
            low, high = statistics.interval(rates, [1] * len(rates))
            speeds.append(
                Speed(
                    subject=subject,
                    merged=merged,
                    batch_size=len(self.sampled),
                    new_tokens=self._timed_tokens,
                    times=len(rates),
                    tokens_per_second=sum(rates) / len(rates),
                    low=low,
                    high=high,
                )
            )
        return speeds

    @property
    def _done(self) -> int:
        """Rows scored and generations timed."""
        return len(self.losses) * sum(map(len, self.encoded)) + sum(map(len, self.rates.values()))

    @property
    def _timed_tokens(self) -> int:
        return max(1, self.recipe.evaluation.sample_tokens // TIMED)

    def loss(self, subject: str) -> Loss:
        """A subject's loss per completion token, with its interval."""
        low, high = statistics.interval(self.losses[subject], self.tokens)
        tokens = sum(self.tokens)
        mean = sum(self.losses[subject]) / tokens
        return Loss(loss=mean, low=low, high=high, tokens=tokens, rows=len(self.rows))

    def difference(self, a: str, b: str) -> Difference:
        """The loss of a minus the loss of b, paired by row."""
        paired = statistics.difference(self.losses[a], self.losses[b], self.tokens, self.recipe.seed)
        return Difference(a=a, b=b, difference=paired.value, low=paired.low, high=paired.high, p=paired.p)

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
            for row, completion in zip(self.sampled, self.samples[subject], strict=True)
        ]
        parquet.write(pa.Table.from_pylist(samples, schema=SAMPLES), folder / "samples.parquet")
