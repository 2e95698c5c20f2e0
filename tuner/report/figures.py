"""The figures: panels composed into PNG files, and each panel alone as SVG for the page.

In the SVG, text stays text in the page's font and colours become CSS variables, so one drawing serves light and dark
mode. matplotlib's object-oriented interface is used, without global figures.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.typing import RcKeyType

from tuner.report import charts, data_charts, palette, sweeps
from tuner.report.contents import Contents

WIDTH = 5.0
"""Width of a panel on the page, in inches: narrow, so that its text stays readable on a phone."""

PNG_WIDTH = 7.0
"""Width of a column of panels in a file, in inches."""

_MAX_IN_COLUMN = 4


@dataclass(frozen=True)
class Panel:
    """A drawing on one pair of axes.

    Attributes:
        key: Its name.
        title: Its title.
        draw: Draws it.
        height: Its height in inches.
    """

    key: str
    title: str
    draw: Callable[[Axes, Contents], None]
    height: Callable[[Contents], float]


def _tall(_: Contents) -> float:
    return 3.3


def _flat(_: Contents) -> float:
    return 2.5


def _by_subjects(contents: Contents) -> float:
    return 0.9 + 0.52 * len(contents.subjects)


def _by_differences(contents: Contents) -> float:
    return 0.9 + 0.52 * len(charts.main_differences(contents))


def _by_adapters(contents: Contents) -> float:
    return 0.25 + 0.42 * len(contents.adapters)


def _by_speeds(contents: Contents) -> float:
    batch = max((entry.batch_size for entry in contents.speed), default=0)
    return 0.5 + 0.42 * max(1, sum(entry.batch_size == batch for entry in contents.speed))


def _by_steps(contents: Contents) -> float:
    return 0.25 + 0.34 * len(data_charts.funnel_steps(contents))


FIGURES: dict[str, tuple[Panel, ...]] = {
    "filtering_stats": (Panel("funnel", "Rows left after each check", data_charts.funnel, _by_steps),),
    "sft_training_curves": (Panel("curves", "Training loss", charts.curves, _tall),),
    "model_comparison": (
        Panel("losses", "Held-out loss, with 95 % intervals", charts.losses, _by_subjects),
        Panel("differences", "Paired differences, with 95 % intervals", charts.differences, _by_differences),
    ),
    "efficiency_comparison": (
        Panel("training_time", "Training time", charts.training_time, _by_adapters),
        Panel("peak_memory", "Peak memory", charts.peak_memory, _by_adapters),
        Panel("adapter_size", "Adapter weights on disk", charts.adapter_size, _by_adapters),
        Panel("inference_speed", "Inference speed", charts.inference_speed, _by_speeds),
    ),
    "tradeoff_analysis": (Panel("tradeoff", "Improvement by training time", charts.tradeoff, _tall),),
}
"""The panels of every figure that is always drawn, by file name."""

SWEEPS = "sweeps"
"""The figure whose panels are the sweeps, if there are any."""

DISTRIBUTIONS = "score_distributions"
"""The figure whose panels depend on the scores that curation measured."""

_STYLE: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelcolor": palette.MUTED.light,
    "axes.edgecolor": palette.LINE.light,
    "axes.facecolor": "none",
    "text.color": palette.INK.light,
    "xtick.color": palette.MUTED.light,
    "ytick.color": palette.INK.light,
    "xtick.labelsize": 10,
    "svg.fonttype": "none",
}

_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def panels_of(contents: Contents) -> dict[str, tuple[Panel, ...]]:
    """The panels of every figure, by file name."""
    histograms = tuple(
        Panel(score.key, score.title, partial(data_charts.histogram, score=score), _flat) for score in contents.scores
    )
    swept = tuple(
        Panel(sweeps.key_of(name), f"Sweep of {name}", partial(charts.sweep, adapter=name), _tall)
        for name in sweeps.of(contents)
    )
    return FIGURES | ({SWEEPS: swept} if swept else {}) | ({DISTRIBUTIONS: histograms} if histograms else {})


def write_pngs(contents: Contents, folder: Path) -> None:
    """Writes every figure as `<folder>/<name>.png`."""
    folder.mkdir(parents=True)
    for name, panels in panels_of(contents).items():
        (folder / f"{name}.png").write_bytes(_png(panels, contents))


def svgs(contents: Contents) -> dict[str, str]:
    """Every panel as inline SVG, by key."""
    return {panel.key: _svg(panel, contents) for panels in panels_of(contents).values() for panel in panels}


def _png(panels: tuple[Panel, ...], contents: Contents) -> bytes:
    # Many panels go in two columns: a file five times as tall as wide is hard to view.
    columns = 2 if len(panels) > _MAX_IN_COLUMN else 1
    all_heights = [panel.height(contents) + 0.5 for panel in panels]
    heights = [max(all_heights[first : first + columns]) for first in range(0, len(panels), columns)]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(
            figsize=(PNG_WIDTH * columns, sum(heights)),
            layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, hspace=0.06),
            facecolor=palette.GROUND.light,
        )
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights).ravel()
        for panel, axes in zip(panels, grid, strict=False):
            panel.draw(axes, contents)
            axes.set_title(panel.title)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=160, metadata={"Software": None})
    return file.getvalue()


def _svg(panel: Panel, contents: Contents) -> str:
    # The salt makes ids equal between builds and unique among the drawings of a page.
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": panel.key}):
        figure = Figure(figsize=(WIDTH, panel.height(contents)), layout="constrained", facecolor="none")
        FigureCanvasSVG(figure)
        panel.draw(figure.subplots(), contents)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    return _embedded(file.getvalue(), panel)


def _embedded(svg: str, panel: Panel) -> str:
    """Adapts an SVG file for the page: no prologue, no unused ids, the page's font and colours."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", body)
    body = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--font)", body)
    for role, tone in palette.ROLES.items():
        body = body.replace(tone.light, f"var(--{role})")
    view = re.search(r'viewBox="([^"]+)"', body)
    if view is None:
        raise ValueError(f"{panel.key}: matplotlib wrote an SVG without a viewBox")
    head = f'<svg viewBox="{view[1]}" role="img" aria-label="{panel.title}">'
    return re.sub(r"<svg[^>]*>", head, body, count=1).strip()
