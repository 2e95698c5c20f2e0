"""The measures of the comparison: what is known of base and adapters, with intervals and reasons for gaps."""

from collections.abc import Callable
from dataclasses import dataclass

from tuner.report.contents import BASE, Contents
from tuner.report.wording import ABSENT, Estimate, count, duration, number, percent, rate, signed, size
from tuner.training.methods import METHODS
from tuner.training.metrics import Trained

UNTRAINED = "The base model is not trained and has no adapter."
ITSELF = "The base model is what the adapters are compared with."
UNMEASURED = "Not measured, or not a finite number."
UNTAUGHT = "Measured for adapters that were trained on preference pairs, if their reference is in memory beside them."
UNMERGEABLE = "There are no changed weights to merge."


@dataclass(frozen=True)
class Cell:
    """The value of a measure for one subject.

    Attributes:
        estimate: The number, with its interval if there is one.
        reason: Why there is no number; empty if there is one.
    """

    estimate: Estimate
    reason: str = ""


@dataclass(frozen=True)
class Measure:
    """One row of the table.

    Attributes:
        key: Its name in JSON.
        group: The heading above it.
        label: Its name in the table.
        unit: The unit of the raw number.
        formatted: Formats the number for the table.
        cells: The values, by subject.
    """

    key: str
    group: str
    label: str
    unit: str
    formatted: Callable[[Estimate], str]
    cells: dict[str, Cell]

    def value(self, subject: str) -> float | None:
        """The raw number of one subject."""
        return self.cells[subject].estimate.value


def measures(contents: Contents) -> list[Measure]:
    """All measures, in the order of the table."""
    rows = contents.held_out_rows

    def trained(
        key: str,
        value_of: Callable[[Trained], float],
        group: str,
        label: str,
        unit: str,
        formatted: Callable[[float | None], str],
        of_base: float | None = None,
    ) -> Measure:
        cells = {BASE: Cell(Estimate(of_base), UNTRAINED if of_base is None else "")}
        cells |= {name: Cell(Estimate(value_of(contents.training[name]))) for name in contents.adapters}
        return Measure(key, group, label, unit, _value_only(formatted), cells)

    quality, cost, shape = "Quality", "Cost of training", "Size"
    nats, rates, parameters = "nats per token", "tokens/s", "parameters"
    memory, of_base = f"peak memory{_memory_of(contents)}", _base_parameters(contents)
    differences = {name: cell(contents.difference(name, BASE)) for name in contents.adapters}
    better = {name: cell(Estimate(contents.better_rows[name])) for name in contents.adapters}
    losses = {name: cell(contents.losses[name]) for name in contents.subjects}
    itself = Cell(Estimate(None), ITSELF)
    return [
        Measure("held_out_loss", quality, "held-out loss", nats, _value_only(number), losses),
        Measure("difference_to_base", quality, "difference to base", nats, signed, {BASE: itself, **differences}),
        Measure(
            "rows_better_than_base",
            quality,
            "held-out rows better than base",
            "rows",
            _value_only(lambda value: ABSENT if value is None else f"{count(value)} of {count(rows)}"),
            {BASE: itself, **better},
        ),
        trained("train_loss", lambda m: m.train_loss, quality, "train loss, mean over the run", nats, number),
        *_preferences(contents),
        trained("training_seconds", lambda m: m.seconds, cost, "training time", "s", duration),
        trained("device_hours", lambda m: m.seconds / 3600, cost, "device-hours", "h", _hours),
        trained("steps", lambda m: m.steps, cost, "steps", "steps", count),
        trained("peak_memory", lambda m: m.peak_memory_bytes, cost, memory, "bytes", size),
        trained("training_tokens_per_second", lambda m: m.tokens_per_second, cost, "training tokens/s", rates, rate),
        *_speeds(contents),
        trained(
            "trainable_parameters", lambda m: m.trainable_parameters, shape, "trainable parameters", parameters, count
        ),
        trained(
            "total_parameters", lambda m: m.total_parameters, shape, "total parameters", parameters, count, of_base
        ),
        trained("trainable_ratio", lambda m: m.trainable_ratio, shape, "trainable / total", "1", percent),
        trained("adapter_bytes", lambda m: m.adapter_bytes, shape, "adapter weights on disk", "bytes", size),
    ]


def _preferences(contents: Contents) -> list[Measure]:
    """The measures of preference pairs; none without held-out pairs."""
    if not contents.preferences:
        return []
    group, adapters = "Preferences", contents.adapters
    found = {name: contents.preferences[name] for name in adapters if name in contents.preferences}
    margins = {name: cell(Estimate(each.margin, each.margin_low, each.margin_high)) for name, each in found.items()}
    shares = {
        name: cell(Estimate(each.accuracy, each.accuracy_low, each.accuracy_high)) for name, each in found.items()
    }
    moved = {
        name: cell(Estimate(each.kl, each.low, each.high)) if (each := contents.divergences.get(name)) else untaught
        for name in adapters
        for untaught in [Cell(Estimate(None), UNTAUGHT)]
    }
    lengths = {name: cell(Estimate(contents.lengths.get(name))) for name in contents.subjects}
    itself = Cell(Estimate(None), ITSELF)
    held = max(each.pairs for each in found.values())
    return [
        Measure(
            "preference_margin",
            group,
            f"margin on {count(held)} held-out pairs",
            "nats",
            signed,
            {BASE: itself, **margins},
        ),
        Measure(
            "preference_accuracy",
            group,
            "held-out pairs whose chosen answer became likelier",
            "1",
            _value_only(percent),
            {BASE: itself, **shares},
        ),
        Measure(
            "divergence",
            group,
            "divergence from what it began with",
            "nats per token",
            _value_only(number),
            {BASE: itself, **moved},
        ),
        Measure(
            "answer_tokens",
            group,
            f"mean length of the answers below, at most {count(contents.recipe.evaluation.sample_tokens)}",
            "tokens",
            _value_only(lambda value: ABSENT if value is None else f"{value:,.1f}"),
            lengths,
        ),
    ]


def _speeds(contents: Contents) -> list[Measure]:
    speeds = []
    for batch in sorted({entry.batch_size for entry in contents.speed}):
        for merged in sorted({entry.merged for entry in contents.speed if entry.batch_size == batch}):
            cells = {}
            for name in contents.subjects:
                found = speed(contents, name, merged, batch)
                unchanged = name == BASE or not METHODS[contents.training[name].method].merges
                reason = "" if found.value is not None else UNMERGEABLE if merged and unchanged else UNMEASURED
                cells[name] = Cell(found, reason)
            key = f"inference_tokens_per_second_batch_{batch}{'_merged' if merged else ''}"
            label = f"tokens/s, batch {batch}{', merged' if merged else ''}"
            speeds.append(Measure(key, "Speed of inference", label, "tokens/s", _value_only(rate), cells))
    return speeds


def speed(contents: Contents, subject: str, merged: bool, batch: int | None) -> Estimate:
    """The tokens per second that a subject generates, if they were measured."""
    for entry in contents.speed:
        if (entry.subject, entry.merged, entry.batch_size) == (subject, merged, batch):
            return entry.tokens_per_second
    return Estimate(None)


def _base_parameters(contents: Contents) -> float | None:
    """The base model's number of parameters: each adapter's total minus its own; None if adapters disagree."""
    bases = {trained.total_parameters - trained.trainable_parameters for trained in contents.training.values()}
    return bases.pop() if len(bases) == 1 else None


def _memory_of(contents: Contents) -> str:
    kinds = {trained.peak_memory_of for trained in contents.training.values()}
    return {"process": " (whole process)", "cuda": " (GPU)"}[kinds.pop()] if len(kinds) == 1 else ""


def cell(estimate: Estimate) -> Cell:
    """A cell with an estimate, and the reason if it is missing."""
    return Cell(estimate, UNMEASURED if estimate.value is None else "")


def _value_only(formatted: Callable[[float | None], str]) -> Callable[[Estimate], str]:
    return lambda estimate: formatted(estimate.value)


def _hours(hours: float | None) -> str:
    return number(hours, 2 if hours is not None and hours >= 1 else 4)
