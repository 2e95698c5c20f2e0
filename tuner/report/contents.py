"""All that a report is made of, read once from the artifacts; everything after this only words, draws and lays out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tuner.artifacts import parquet as tables
from tuner.artifacts.manifest import Manifest
from tuner.curation.metrics import Curated as Counted
from tuner.evaluation import BASE
from tuner.evaluation.metrics import Evaluated
from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.report import clusters, thresholds
from tuner.report.curated import Curated, read
from tuner.report.inputs import Inputs
from tuner.report.thresholds import Score
from tuner.report.wording import Estimate
from tuner.splitting.metrics import Divided
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
    """A report before it has a form.

    Attributes:
        recipe: What was run.
        subjects: `base` and then the adapters, in the recipe's order.
        training: What training measured, by adapter.
        losses: Held-out loss in nats per completion token, by subject.
        held_out_rows: Rows behind these losses.
        held_out_tokens: Completion tokens behind them.
        precision: The number format that everyone was scored in.
        differences: Of each adapter to the base and of each pair of adapters.
        speed: Timed generations.
        better_rows: Held-out rows on which an adapter's loss is below the base's, by adapter.
        curves: Steps and losses of training, by adapter.
        curation: What curation counted.
        split: What the split counted.
        curated: The curated rows.
        scores: Histograms of what curation measured.
        unscored: Why there are no others, a sentence each.
        samples: Answers side by side.
        artifacts: Every artifact the report rests on, with a label, in the order of the stages.
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
    split: Divided
    curated: Curated
    scores: tuple[Score, ...]
    unscored: tuple[str, ...]
    samples: tuple[Sample, ...]
    artifacts: tuple[tuple[str, Manifest], ...]

    @property
    def adapters(self) -> tuple[str, ...]:
        """All subjects but the base."""
        return self.subjects[1:]

    @property
    def tells(self) -> bool:
        """Whether there are enough held-out rows to call anything better or worse."""
        return self.held_out_rows >= FEWEST_ROWS

    def difference(self, a: str, b: str) -> Estimate:
        """The loss of `a` minus that of `b`, whichever way round it was measured."""
        for difference in self.differences:
            if (difference.a, difference.b) == (a, b):
                return difference.estimate
            if (difference.a, difference.b) == (b, a):
                return difference.estimate.flipped()
        return Estimate(None)


def gather(inputs: Inputs) -> Contents:
    """Reads what a report is made of.

    Args:
        inputs: The artifacts and their files.

    Raises:
        DamagedArtifactError: If the metrics of one are not those of this version of its stage.
    """
    measured = Evaluated.read(inputs.evaluate)
    adapters = [name for name in inputs.recipe.training if name in inputs.training]
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
            name: Estimate(found.loss, found.low, found.high)
            for name in subjects
            for found in [measured.subjects[name]]
        },
        held_out_rows=base.rows,
        held_out_tokens=base.tokens,
        precision=measured.precision,
        differences=tuple(
            Difference(found.a, found.b, Estimate(found.difference, found.low, found.high), found.p)
            for found in measured.differences
        ),
        speed=tuple(
            Speed(
                subject=found.subject,
                merged=found.merged,
                batch_size=found.batch_size,
                new_tokens=found.new_tokens,
                tokens_per_second=Estimate(found.tokens_per_second, found.low, found.high),
            )
            for found in measured.speed
        ),
        better_rows=_better_rows(tables.read(inputs.losses), adapters),
        curves={name: _curve(tables.read(inputs.curves[name])) for name in adapters},
        curation=counted,
        split=Divided.read(inputs.split),
        curated=curated,
        scores=scores,
        unscored=unscored,
        samples=_samples(tables.read(inputs.samples)),
        artifacts=_artifacts(inputs, adapters),
    )


def _better_rows(losses: pa.Table, adapters: list[str]) -> dict[str, int]:
    by_subject: dict[str, dict[str, float]] = {}
    for row in losses.to_pylist():
        # All subjects are scored on the same tokens of a row, so sums compare as means would.
        by_subject.setdefault(row["subject"], {})[row["row_id"]] = row["loss_sum"]
    base = by_subject[BASE]
    return {name: sum(loss < base[row_id] for row_id, loss in by_subject[name].items()) for name in adapters}


def _curve(curve: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    steps, losses = _numbers(curve, "step"), _numbers(curve, "loss")
    drawn = np.isfinite(losses)
    return steps[drawn], losses[drawn]


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    return np.asarray(table[column].cast(pa.float64()).to_numpy(), dtype=float)


def _samples(table: pa.Table) -> tuple[Sample, ...]:
    found: dict[str, Sample] = {}
    for row in table.to_pylist():
        sample = found.setdefault(row["row_id"], Sample(row["row_id"], row["instruction"], row["reference"], {}))
        sample.completions[row["subject"]] = row["completion"]
    return tuple(found.values())


def _artifacts(inputs: Inputs, adapters: list[str]) -> tuple[tuple[str, Manifest], ...]:
    return (
        *((manifest.stage, manifest) for manifest in inputs.parts),
        ("curate", inputs.curate),
        ("split", inputs.split),
        *((f"train {name}", inputs.training[name]) for name in adapters),
        ("evaluate", inputs.evaluate),
    )
