"""The contents of a report, read once from the artifacts; all other modules only format, draw and lay out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tuner.artifacts import parquet as tables
from tuner.artifacts.manifest import Manifest
from tuner.curation.metrics import Curated as Counted
from tuner.evaluation import BASE
from tuner.evaluation.metrics import Divergence, Evaluated, Preferred
from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.report import clusters, nearness, pairs, thresholds
from tuner.report.curated import Curated, read
from tuner.report.inputs import Inputs
from tuner.report.thresholds import Score
from tuner.report.wording import Estimate
from tuner.splitting.metrics import SplitMetrics
from tuner.training.metrics import Trained

if TYPE_CHECKING:
    from tuner.recipe import Recipe


@dataclass(frozen=True)
class Difference:
    """The paired difference of two subjects' losses, that of `a` minus that of `b`, and its sign-flip p-value."""

    a: str
    b: str
    estimate: Estimate
    p: float | None


@dataclass(frozen=True)
class Speed:
    """A subject's timed generations; `merged` means that the adapter's weights were added to the base's."""

    subject: str
    merged: bool
    batch_size: int
    new_tokens: int
    tokens_per_second: Estimate


@dataclass(frozen=True)
class Sample:
    """One held-out instruction with its reference and every subject's answer."""

    row_id: str
    instruction: str
    reference: str
    completions: dict[str, str]


@dataclass(frozen=True)
class Contents:
    """Everything that a report shows, before layout.

    Attributes:
        recipe: The recipe.
        subjects: `base` and then the adapters, in the recipe's order.
        training: The metrics of training, by adapter.
        losses: Held-out loss in nats per completion token, by subject.
        held_out_rows: Rows behind these losses.
        held_out_tokens: Completion tokens behind them.
        precision: The number format in which all subjects were scored.
        differences: Of each adapter and the base, and of each pair of adapters.
        speed: Timed generations.
        better_rows: Held-out rows on which an adapter's loss is below the base's, by adapter.
        curves: Steps and losses of training, by adapter.
        curation: The metrics of curation.
        split: The metrics of the split.
        curated: The curated rows.
        scores: Histograms of the scores that curation measured.
        unscored: For each score without a histogram, a sentence that says why.
        taken: Three rows of every reason.
        samples: Answers side by side.
        pairs: The preference pairs; None if there are none.
        preferences: How every adapter prefers the better answers of held-out pairs, if there are any.
        divergences: How far every adapter that was trained on pairs has moved from what it began with.
        lengths: The mean tokens of every subject's sampled answers, if there are pairs.
        artifacts: The artifacts behind the report, with labels, in the order of the stages.
    """

    recipe: "Recipe"
    subjects: tuple[str, ...]
    training: dict[str, Trained]
    losses: dict[str, Estimate]
    held_out_rows: int
    held_out_tokens: int
    precision: str
    differences: tuple[Difference, ...]
    speed: tuple[Speed, ...]
    better_rows: dict[str, int]
    curves: dict[str, tuple[np.ndarray, np.ndarray]]
    curation: Counted
    split: SplitMetrics
    curated: Curated
    scores: tuple[Score, ...]
    unscored: tuple[str, ...]
    taken: tuple[nearness.Taken, ...]
    samples: tuple[Sample, ...]
    pairs: pairs.Pairs | None
    preferences: dict[str, Preferred]
    divergences: dict[str, Divergence]
    lengths: dict[str, float]
    artifacts: tuple[tuple[str, Manifest], ...]

    @property
    def adapters(self) -> tuple[str, ...]:
        """All subjects but the base."""
        return self.subjects[1:]

    @property
    def has_enough_rows(self) -> bool:
        """Whether there are enough held-out rows to call anything better or worse."""
        return self.held_out_rows >= FEWEST_ROWS

    def difference(self, a: str, b: str) -> Estimate:
        """The loss of `a` minus that of `b`, in whichever order the pair was measured."""
        for difference in self.differences:
            if (difference.a, difference.b) == (a, b):
                return difference.estimate
            if (difference.a, difference.b) == (b, a):
                return difference.estimate.flipped()
        return Estimate(None)


def gather(inputs: Inputs) -> Contents:
    """Reads the contents of a report.

    Args:
        inputs: The artifacts and their files.

    Raises:
        DamagedArtifactError: If the metrics of an artifact do not fit this version of its stage.
    """
    measured = Evaluated.read(inputs.evaluate)
    adapters = [name for name in inputs.recipe.trained if name in inputs.training]
    subjects = (BASE, *adapters)
    base = measured.subjects[BASE]
    counted = Counted.read(inputs.curate)
    curated = read(inputs.rows, clusters.largest(counted))
    scores, unscored = thresholds.scores(curated, counted, inputs.recipe.curation)
    return Contents(
        recipe=inputs.recipe,
        subjects=subjects,
        training={name: Trained.read(inputs.training[name]) for name in adapters},
        losses={
            name: Estimate(loss.loss, loss.low, loss.high) for name in subjects for loss in [measured.subjects[name]]
        },
        held_out_rows=base.rows,
        held_out_tokens=base.tokens,
        precision=measured.precision,
        differences=tuple(
            Difference(pair.a, pair.b, Estimate(pair.difference, pair.low, pair.high), pair.p)
            for pair in measured.differences
        ),
        speed=tuple(
            Speed(
                subject=speed.subject,
                merged=speed.merged,
                batch_size=speed.batch_size,
                new_tokens=speed.new_tokens,
                tokens_per_second=Estimate(speed.tokens_per_second, speed.low, speed.high),
            )
            for speed in measured.speed
        ),
        better_rows=_better_rows(tables.read(inputs.losses), adapters),
        curves={name: _curve(tables.read(inputs.curves[name])) for name in adapters},
        curation=counted,
        split=SplitMetrics.read(inputs.split),
        curated=curated,
        scores=scores,
        unscored=unscored,
        taken=nearness.taken(curated, inputs.recipe.curation),
        samples=_samples(tables.read(inputs.samples)),
        pairs=_pairs(inputs),
        preferences=measured.preferences,
        divergences=measured.divergences,
        lengths=measured.lengths,
        artifacts=_artifacts(inputs, adapters),
    )


def _pairs(inputs: Inputs) -> pairs.Pairs | None:
    settings = inputs.recipe.preference
    return pairs.read(inputs.preference[-1], inputs.pairs, settings) if inputs.preference and settings else None


def _better_rows(losses: pa.Table, adapters: list[str]) -> dict[str, int]:
    by_subject: dict[str, dict[str, float]] = {}
    for row in losses.to_pylist():
        # All subjects are scored on the same tokens of a row, so sums compare as means would.
        by_subject.setdefault(row["subject"], {})[row["row_id"]] = row["loss_sum"]
    base = by_subject[BASE]
    return {name: sum(loss < base[row_id] for row_id, loss in by_subject[name].items()) for name in adapters}


def _curve(curve: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    steps, losses = _numbers(curve, "step"), _numbers(curve, "loss")
    known = np.isfinite(losses)
    return steps[known], losses[known]


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    return np.asarray(table[column].cast(pa.float64()).to_numpy(), dtype=float)


def _samples(table: pa.Table) -> tuple[Sample, ...]:
    samples: dict[str, Sample] = {}
    for row in table.to_pylist():
        sample = samples.setdefault(row["row_id"], Sample(row["row_id"], row["instruction"], row["reference"], {}))
        sample.completions[row["subject"]] = row["completion"]
    return tuple(samples.values())


def _artifacts(inputs: Inputs, adapters: list[str]) -> tuple[tuple[str, Manifest], ...]:
    return (
        *((manifest.stage, manifest) for manifest in inputs.parts),
        ("curate", inputs.curate),
        ("split", inputs.split),
        *((f"train {name}", inputs.training[name]) for name in adapters),
        *((manifest.stage, manifest) for manifest in inputs.preference),
        ("evaluate", inputs.evaluate),
    )
