"""The panels of the figures about the data: what curation left, and how what it measured is distributed."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from tuner.report import palette
from tuner.report.charts import INK, bare
from tuner.report.contents import Contents
from tuner.report.wording import MINUS, count, plain

KEPT, REJECTED, LIMIT = (tone.light for tone in (palette.DATA, palette.LOST, palette.LIMIT))


def funnel_steps(contents: Contents) -> list[tuple[str, int, int]]:
    """The funnel as (label, rows left, rows taken), from all rows down to the kept; idle checks are left out."""
    left = contents.curation["rows"]
    steps = [("drawn", left, 0)]
    for reason, taken in contents.curation["funnel"].items():
        left -= taken
        if taken:
            steps.append((plain(reason), left, taken))
    return [*steps, ("kept", left, 0)]


def funnel(axes: Axes, contents: Contents) -> None:
    """Rows left after each check, and beside them those it took."""
    steps = funnel_steps(contents)
    for position, (label, left, taken) in enumerate(steps):
        axes.barh(position, left, color=KEPT, height=0.62)
        axes.barh(position, taken, left=left, color=REJECTED, height=0.62)
        text = count(left) + (f"  {MINUS}{count(taken)}" if taken else "")
        weight = "bold" if label in ("drawn", "kept") else "normal"
        axes.annotate(
            text,
            (left + taken, position),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            weight=weight,
        )
    axes.set_yticks(range(len(steps)), [label for label, _, _ in steps])
    axes.set_ylim(len(steps) - 0.5, -0.5)
    axes.set_xlim(0, (contents.curation["rows"] or 1) * 1.2)
    axes.set_xticks([])
    bare(axes)
    axes.spines["bottom"].set_visible(False)


def quality(axes: Axes, contents: Contents) -> None:
    """The quality score of all rows, with the lowest that passes drawn in."""
    values = contents.distributions.quality
    least = contents.recipe.curation.min_quality
    # At least one bin is left below 1, where the scores end.
    lowest = values[np.isfinite(values)].min(initial=min(least, 0.95))
    bins = np.linspace(np.floor(lowest * 20) / 20, 1, 31)
    _stacked(axes, contents, values, bins)
    _limit(axes, least, f"least {least:g}")
    axes.set_xlabel("quality score")


def instruction_words(axes: Axes, contents: Contents) -> None:
    """Words of an instruction, with the bounds drawn in."""
    bounds = contents.recipe.curation.instruction_words
    _words(axes, contents, contents.distributions.instruction_words, bounds, "words in an instruction")


def response_words(axes: Axes, contents: Contents) -> None:
    """Words of a response, with the bounds drawn in."""
    bounds = contents.recipe.curation.response_words
    _words(axes, contents, contents.distributions.response_words, bounds, "words in a response")


def _words(axes: Axes, contents: Contents, values: np.ndarray, bounds: tuple[int, int], what: str) -> None:
    # Word counts spread over three orders of magnitude between the bounds, so the axis is logarithmic; empty rows
    # have no place on it and are counted in words instead.
    present = values[np.isfinite(values)]
    empty = int(np.sum(present < 1))
    low = present[present >= 1].min(initial=max(1, bounds[0]))
    high = present.max(initial=max(2, bounds[1]))
    bins = np.unique(np.round(np.geomspace(low, high + 1, 28))) - 0.5
    axes.set_xscale("log")
    _stacked(axes, contents, np.where(values < 1, np.nan, values), bins)
    _limit(axes, max(bounds[0], 0.6), f"{bounds[0]:,}")
    _limit(axes, bounds[1], f"{bounds[1]:,}")
    ticks = [tick for tick in (1, 3, 10, 30, 100, 300, 1000, 3000, 10000) if bins[0] <= tick <= bins[-1]]
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    if empty:
        what += f" ({count(empty)} empty, not drawn)"
    axes.set_xlabel(what)


def _stacked(axes: Axes, contents: Contents, values: np.ndarray, bins: np.ndarray) -> None:
    kept = contents.distributions.kept
    drawn = [values[mask & np.isfinite(values)] for mask in (kept, ~kept)]
    axes.hist(drawn, bins=list(bins), stacked=True, color=[KEPT, REJECTED], rwidth=0.92)
    bare(axes, grid="y")
    axes.spines["bottom"].set_visible(True)
    axes.set_ylabel("rows (pale: rejected)")
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    low, high = axes.get_ylim()
    # Head-room for the names of the limits.
    axes.set_ylim(low, high * 1.18)


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
