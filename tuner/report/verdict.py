"""The verdict: which adapter won, whether it is better than the base model, and what it cost, in three plain lines.

An adapter is called better or worse only if the whole 95 % interval of the paired difference lies on one side of 0, and
there are at least `statistics.FEWEST_ROWS` held-out rows. Every adapter was trained once; the verdict is on that one.
"""

from dataclasses import dataclass

from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.report.contents import BASE, Contents
from tuner.report.wording import (
    Estimate,
    count,
    duration,
    interval,
    listed,
    number,
    percent,
    rows_of,
    signed,
    size,
)


@dataclass(frozen=True)
class Verdict:
    """The verdict on the adapters of a run.

    Attributes:
        lines: Up to three sentences of plain text.
        winner: The adapter that beats all others, or the only one; None if the data cannot tell.
    """

    lines: tuple[str, ...]
    winner: str | None


def judge(contents: Contents) -> Verdict:
    """Derives the verdict.

    Args:
        contents: The contents of the report.
    """
    measured = sorted(
        (name for name in contents.adapters if contents.losses[name].value is not None),
        key=lambda name: (contents.losses[name].value, contents.adapters.index(name)),
    )
    if not measured:
        lines = ("No adapter has a finite held-out loss: training diverged.", _cost(contents, list(contents.adapters)))
        return Verdict(lines, None)
    best, others = measured[0], measured[1:]
    rivals = [
        other for other in others if not (contents.has_enough_rows and contents.difference(best, other).is_below_zero)
    ]
    first = _first(contents, best, others, rivals) + _diverged(contents, measured)
    leading = [best, *rivals]
    winner = best if contents.has_enough_rows and not rivals else None
    return Verdict((first, _against_base(contents, leading), _cost(contents, leading)), winner)


def _first(contents: Contents, best: str, others: list[str], rivals: list[str]) -> str:
    loss = contents.losses[best]
    if not contents.has_enough_rows:
        return (
            f"Too few rows to say: {rows_of(contents.held_out_rows)} held out; at least {FEWEST_ROWS} are needed. "
            f"{best} has the lowest held-out loss, {number(loss.value)} {interval(loss)}."
        )
    if not others:
        return f"{best} is the only adapter to judge: held-out loss {number(loss.value)} {interval(loss)}."
    # Only the nearest of many is named; the figures show all.
    nearest = rivals[0] if rivals else others[0]
    difference = contents.difference(best, nearest)
    if not rivals:
        place = ", the next best" if len(others) > 1 else ""
        return (
            f"{best} won with a held-out loss of {number(loss.value)}: "
            f"{signed(difference)} against {nearest}{place} {interval(difference)}. "
            f"{_seeds(contents)}"
        )
    return (
        f"The data cannot tell {listed([best, *rivals])} apart: {best} has the lowest held-out loss, "
        f"{number(loss.value)}, but its difference to {nearest} is {_gap(difference)}."
    )


def _seeds(contents: Contents) -> str:
    repeated = [name for name, adapter in contents.recipe.training.items() if adapter.seeds > 1]
    if not repeated:
        return "Each was trained with one seed."
    return f"The trainings of {listed(repeated)} differ in their seeds alone; each is compared for itself."


def _diverged(contents: Contents, measured: list[str]) -> str:
    diverged = [name for name in contents.adapters if name not in measured]
    return f" {listed(diverged)} diverged: no finite held-out loss." if diverged else ""


def _against_base(contents: Contents, named: list[str]) -> str:
    base = contents.losses[BASE].value
    if base is None:
        return "The base model has no finite held-out loss to compare with."
    clauses = [_clause(contents, name) for name in named]
    return f"Against the base model ({number(base)}), {'; '.join(clauses)}."


def _clause(contents: Contents, name: str) -> str:
    difference = contents.difference(name, BASE)
    gap = _gap(difference)
    if not contents.has_enough_rows:
        return f"{name}: {gap}"
    if difference.is_below_zero:
        return f"{name} is better: {gap}"
    if difference.is_above_zero:
        return f"{name} is worse: {gap}"
    return f"{name} is not shown to differ: {gap}"


def _gap(difference: Estimate) -> str:
    return f"{signed(difference)} {interval(difference)}"


def _cost(contents: Contents, named: list[str]) -> str:
    costs = []
    for name in named:
        trained = contents.training[name]
        costs.append(
            f"of {name}: {duration(trained.seconds)} of training, "
            f"{size(trained.peak_memory_bytes)} peak memory, "
            f"an adapter of {size(trained.adapter_bytes)}, "
            f"{count(trained.trainable_parameters)} trainable parameters "
            f"({percent(trained.trainable_ratio)} of the model)"
        )
    return f"Cost {'; '.join(costs)}."
