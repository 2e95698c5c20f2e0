"""The panels of the figures about losses and cost: each draws one quantity on one pair of axes.

Every line and bar is labelled directly, so no legend is needed.
"""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tuner.report import palette
from tuner.report.contents import BASE, Contents, Difference
from tuner.report.wording import MINUS, Estimate, count, duration, number, rate, signed, size
from tuner.training.metrics import Trained

INK, MUTED, LINE, GROUND, LIMIT = (
    tone.light for tone in (palette.INK, palette.MUTED, palette.LINE, palette.GROUND, palette.LIMIT)
)


def short(name: str, limit: int = 22) -> str:
    """A name cut to a length that leaves room for the figure."""
    return name if len(name) <= limit else f"{name[: limit - 1]}…"


def bare(axes: Axes, *, grid: str = "x") -> None:
    """Removes the frame and draws a light grid in one direction."""
    for side in ("top", "right", "left" if grid == "x" else "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="x" if grid == "x" else "y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def curves(axes: Axes, contents: Contents) -> None:
    """Training loss by optimizer step, one line per adapter."""
    colours = palette.colours_of(contents.subjects)
    ends: list[tuple[float, str]] = []
    last = 1.0
    for name in contents.adapters:
        steps, losses = contents.curves[name]
        if len(steps) == 0:
            continue
        axes.plot(
            steps, losses, color=colours[name], linewidth=1.8, marker="o", markersize=2.6 if len(steps) < 60 else 0
        )
        # The mean of the last fifth places the label of a noisy line better than its last point.
        ends.append((float(np.mean(losses[-max(1, len(losses) // 5) :])), name))
        last = max(last, float(steps[-1]))
    bare(axes, grid="y")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("training loss (nats per token)")
    axes.set_xlim(0, last)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    ends.sort()
    for (_, name), height in zip(ends, _spaced([end for end, _ in ends], low, high), strict=True):
        axes.annotate(
            short(name),
            (last, height),
            xytext=(6, 0),
            textcoords="offset points",
            color=colours[name],
            va="center",
            annotation_clip=False,
        )


def sweep(axes: Axes, contents: Contents, adapter: str) -> None:
    """The loss on the rows to choose by, one line per trial; the one that was taken is coloured."""
    swept = contents.training[adapter].swept
    assert swept is not None
    colour = palette.colours_of(contents.subjects)[adapter]
    for number_of, trial in enumerate(swept.trials):
        if not trial.curve:
            continue
        won = number_of == swept.winner
        shares, values = zip(*trial.curve, strict=True)
        axes.plot(
            [100 * share for share in shares],
            values,
            color=colour if won else MUTED,
            linewidth=2.4 if won else 1.0,
            marker="o" if len(shares) == 1 or won else None,
            markersize=4,
            zorder=3 if won else 2,
        )
        if trial.stopped:
            axes.plot([100 * shares[-1]], [values[-1]], marker="x", color=LIMIT, markersize=6, zorder=4)
    bare(axes, grid="y")
    axes.set_xlim(0, 102)
    axes.set_xlabel("% of the training")
    axes.set_ylabel("loss (nats per token)")


def losses(axes: Axes, contents: Contents) -> None:
    """Held-out loss with its interval; a line through the figure marks the base's loss."""
    colours = palette.colours_of(contents.subjects)
    base = contents.losses[BASE].value
    if base is not None:
        axes.axvline(base, color=colours[BASE], linewidth=1, linestyle=(0, (4, 3)))
    entries = [(short(name), contents.losses[name], colours[name]) for name in contents.subjects]
    _intervals(axes, entries, [number(estimate.value) for _, estimate, _ in entries])
    axes.set_xlabel("held-out loss (nats per token)")


def main_differences(contents: Contents) -> list[Difference]:
    """Each adapter against the base, and the best adapter against the others; all pairs would be too many to read."""
    against_base = [Difference(name, BASE, contents.difference(name, BASE), None) for name in contents.adapters]
    known = {name: value for name in contents.adapters if (value := contents.losses[name].value) is not None}
    if not known:
        return against_base
    best = min(known, key=lambda name: known[name])
    others = [name for name in contents.adapters if name != best]
    return against_base + [Difference(best, name, contents.difference(best, name), None) for name in others]


def differences(axes: Axes, contents: Contents) -> None:
    """Paired differences with their intervals: one that excludes 0 is a difference."""
    colours = palette.colours_of(contents.subjects)
    axes.axvline(0, color=INK, linewidth=1)
    entries = [
        (f"{short(entry.a, 16)} {MINUS} {short(entry.b, 16)}", entry.estimate, colours[entry.a])
        for entry in main_differences(contents)
    ]
    _intervals(axes, entries, [signed(estimate) for _, estimate, _ in entries])
    axes.set_xlabel("difference (nats per token)")


def training_time(axes: Axes, contents: Contents) -> None:
    """Training time of each adapter."""
    _trained_bars(axes, contents, lambda trained: trained.seconds, duration)


def peak_memory(axes: Axes, contents: Contents) -> None:
    """Peak memory of each training."""
    _trained_bars(axes, contents, lambda trained: trained.peak_memory_bytes, size)


def adapter_size(axes: Axes, contents: Contents) -> None:
    """Size of each adapter's weights on disk."""
    _trained_bars(axes, contents, lambda trained: trained.adapter_bytes, size)


def inference_speed(axes: Axes, contents: Contents) -> None:
    """Tokens generated per second at the largest batch size that was timed, with intervals."""
    colours = palette.colours_of(contents.subjects)
    batch = max((entry.batch_size for entry in contents.speed), default=0)
    shown = [
        entry for entry in contents.speed if entry.batch_size == batch and entry.tokens_per_second.value is not None
    ]
    entries = [
        (short(entry.subject) + (", merged" if entry.merged else ""), entry.tokens_per_second, colours[entry.subject])
        for entry in shown
    ]
    _intervals(axes, entries, [rate(estimate.value) for _, estimate, _ in entries])
    axes.set_xlim(left=0)
    axes.set_xlabel(f"tokens/s, batch of {batch}" if shown else "not measured")


def tradeoff(axes: Axes, contents: Contents) -> None:
    """Loss improvement over the base by training time; marks grow with the number of trainable parameters."""
    colours = palette.colours_of(contents.subjects)
    most = max((trained.trainable_parameters for trained in contents.training.values()), default=1)
    longest = 0.0
    axes.axhline(0, color=colours[BASE], linewidth=1, linestyle=(0, (4, 3)))
    for name in contents.adapters:
        gain, trained = contents.difference(name, BASE).flipped(), contents.training[name]
        if gain.value is None:
            continue
        minutes, parameters = trained.seconds / 60, trained.trainable_parameters
        longest = max(longest, minutes)
        if gain.low is not None and gain.high is not None:
            axes.plot([minutes] * 2, [gain.low, gain.high], color=colours[name], linewidth=1.6)
        area = 40 + 360 * (parameters / most) ** 0.5
        axes.scatter([minutes], [gain.value], s=area, color=colours[name], edgecolors=GROUND, linewidths=1.2, zorder=3)
        axes.annotate(
            f"{short(name)}\n{count(parameters)} parameters",
            (minutes, gain.value),
            xytext=(6 + area**0.5 / 2, 0),
            textcoords="offset points",
            color=INK,
            va="center",
        )
    bare(axes, grid="y")
    axes.set_xlim(0, longest * 1.7 or 1)
    axes.margins(y=0.18)
    axes.set_xlabel("training time (minutes)")
    axes.set_ylabel("loss below base (nats per token)")
    axes.annotate(
        "base",
        (1, 0),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=colours[BASE],
    )


def _intervals(axes: Axes, entries: Sequence[tuple[str, Estimate, str]], texts: Sequence[str]) -> None:
    for position, ((_, estimate, colour), text) in enumerate(zip(entries, texts, strict=True)):
        if estimate.value is None:
            continue
        if estimate.low is not None and estimate.high is not None:
            axes.plot([estimate.low, estimate.high], [position] * 2, color=colour, linewidth=2.4, solid_capstyle="butt")
        axes.plot([estimate.value], [position], marker="o", markersize=7, color=colour, markeredgecolor=GROUND)
        axes.annotate(
            text,
            (estimate.value, position),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=INK,
            # A background, so that no line runs through the number.
            bbox={"boxstyle": "square,pad=0.1", "facecolor": GROUND, "edgecolor": "none"},
        )
    axes.set_yticks(range(len(entries)), [label for label, _, _ in entries])
    axes.set_ylim(len(entries) - 0.5, -0.75)
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(5))  # more numbers would run into each other
    bare(axes)


def _trained_bars(
    axes: Axes, contents: Contents, value_of: Callable[[Trained], float], formatted: Callable[[float], str]
) -> None:
    colours, names = palette.colours_of(contents.subjects), contents.adapters
    values = [value_of(contents.training[name]) for name in names]
    _bars(axes, [short(name) for name in names], values, [colours[name] for name in names], [*map(formatted, values)])


def _bars(
    axes: Axes, labels: Sequence[str], values: Sequence[float], colours: Sequence[str], texts: Sequence[str]
) -> None:
    axes.barh(range(len(values)), values, color=colours, height=0.58)
    for position, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(text, (value, position), xytext=(5, 0), textcoords="offset points", va="center", color=INK)
    axes.set_yticks(range(len(values)), labels)
    axes.set_ylim(max(1, len(values)) - 0.5, -0.5)
    # Room for the number after the longest bar.
    axes.set_xlim(0, max(values, default=0) * 1.45 or 1)
    axes.set_xticks([])
    bare(axes)
    axes.spines["bottom"].set_visible(False)


def _spaced(heights: Sequence[float], low: float, high: float) -> list[float]:
    """Moves sorted heights up until one-line labels at them do not overlap, then all down below the upper end."""
    gap = (high - low) * 0.075
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    excess = max(0.0, placed[-1] - high) if placed else 0.0
    return [height - excess for height in placed]
