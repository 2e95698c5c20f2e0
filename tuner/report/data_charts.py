"""The panels of the figures about the data: the rows that curation kept, and the distributions of its scores."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from tuner.report import palette
from tuner.report.charts import INK, bare
from tuner.report.contents import Contents
from tuner.report.thresholds import Score
from tuner.report.wording import MINUS, count, plain

KEPT, REJECTED, LIMIT = (tone.light for tone in (palette.DATA, palette.LOST, palette.LIMIT))


def funnel_steps(contents: Contents) -> list[tuple[str, int, int]]:
    """The funnel as (label, rows left, rows rejected), from all rows to the kept ones, without idle checks."""
    left = contents.curation.rows
    steps = [("all rows", left, 0)]
    for reason, rejected in contents.curation.funnel.items():
        left -= rejected
        if rejected:
            steps.append((plain(reason), left, rejected))
    return [*steps, ("kept", left, 0)]


def funnel(axes: Axes, contents: Contents) -> None:
    """Rows left after each check, and beside them those it rejected."""
    steps = funnel_steps(contents)
    for position, (label, left, rejected) in enumerate(steps):
        axes.barh(position, left, color=KEPT, height=0.62)
        axes.barh(position, rejected, left=left, color=REJECTED, height=0.62)
        text = count(left) + (f"  {MINUS}{count(rejected)}" if rejected else "")
        weight = "bold" if label in ("all rows", "kept") else "normal"
        axes.annotate(
            text,
            (left + rejected, position),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            weight=weight,
        )
    axes.set_yticks(range(len(steps)), [label for label, _, _ in steps])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.set_xlim(0, (contents.curation.rows or 1) * 1.2)
    axes.set_xticks([])
    bare(axes)
    axes.spines["bottom"].set_visible(False)


def histogram(axes: Axes, contents: Contents, score: Score) -> None:
    """The distribution of a score over all rows, with its limits."""
    counted = score.histogram
    widths = np.diff(counted.edges)
    if counted.log:
        axes.set_xscale("log")
    bars = {"x": counted.edges[:-1] + 0.04 * widths, "width": 0.92 * widths, "align": "edge"}
    axes.bar(height=counted.kept, color=KEPT, **bars)
    axes.bar(height=counted.rejected, bottom=counted.kept, color=REJECTED, **bars)
    bare(axes, grid="y")
    axes.spines["bottom"].set_visible(True)
    axes.set_ylabel("rows (pale: rejected)")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    # Headroom for the names of the limits.
    axes.set_ylim(0, max(1, int((counted.kept + counted.rejected).max(initial=0))) * 1.24)
    if counted.log:
        ticks = [
            tick
            for tick in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
            if counted.edges[0] <= tick <= counted.edges[-1]
        ]
        axes.set_xticks(ticks)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    # Limits are often at the end of the axis: a margin keeps their lines whole.
    axes.margins(x=0.02)
    for limit in score.limits:
        # A limit of 0 words is drawn at the beginning of the logarithmic axis.
        _limit(axes, max(limit.value, counted.edges[0]), limit.text)
    axes.set_xlabel(score.axis)


def _limit(axes: Axes, value: float, text: str) -> None:
    axes.axvline(value, color=LIMIT, linewidth=1.2)
    right = axes.transData.transform((value, 0))[0] > np.mean(axes.transAxes.transform([(0, 0), (1, 0)])[:, 0])
    axes.annotate(
        text,
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if right else 4, 0),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top",
        color=LIMIT,
    )
