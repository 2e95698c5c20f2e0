"""A sweep of learning rates around a default, and the table of what came of it."""

import math
from collections.abc import Mapping, Sequence

STEP = math.sqrt(10)
"""The ratio of neighbouring rates."""

GOAL = 1.0
"""Per cent that a default's loss may be above the best."""


def rates(default: float, points: int) -> list[float]:
    """The rates of a sweep, ascending, with the default in their middle; an even number has one more below it."""
    powers = range(-(points // 2), (points + 1) // 2)
    # Rounded, so that the same rate has the same name on every machine; the default is trained as it is.
    return [default if power == 0 else float(f"{default * STEP**power:.3g}") for power in powers]


def shown(loss: float | None) -> str:
    """A loss in a table."""
    return "diverged" if loss is None else f"{loss:.4f}"


def excess(losses: Mapping[float, float | None], default: float) -> float:
    """By how many per cent the default's loss is above the best; infinite if it diverged."""
    loss = losses[default]
    finite = [each for each in losses.values() if each is not None]
    return math.inf if loss is None else 100 * (loss / min(finite) - 1)


def table(swept: Mapping[str, Mapping[float, float | None]], untrained: float) -> str:
    """The losses as a Markdown table, the best of each method in bold, and how many defaults meet the goal.

    Args:
        swept: Losses by rate, ascending, the default in the middle as `rates` has it, by method; each with as many.
        untrained: The student's loss without an adapter; losses above it are marked.
    """
    count = len(next(iter(swept.values())))
    factors = [f"x {STEP**power:.2g}" for power in range(-(count // 2), (count + 1) // 2)]
    titles = ["method", "default", *factors, "best rate", "the default's loss", "above the best"]
    lines = [_line(titles), _line(["---", *["---:"] * (len(titles) - 1)])]
    met = 0
    for name, losses in swept.items():
        default = list(losses)[count // 2]
        finite = {rate: loss for rate, loss in losses.items() if loss is not None}
        best = min(finite, key=lambda rate: finite[rate], default=None)
        over = excess(losses, default)
        met += over <= GOAL
        cells = [
            f"**{shown(loss)}**" if rate == best else f"{shown(loss)}{'†' * (loss is not None and loss > untrained)}"
            for rate, loss in losses.items()
        ]
        verdict = "diverged" if math.isinf(over) else f"{over:.1f} %"
        best_rate = "none" if best is None else f"{best:g}"
        last = [best_rate, shown(losses[default]), verdict if over <= GOAL else f"**{verdict}**"]
        lines.append(_line([f"`{name}`", f"{default:g}", *cells, *last]))
    return "\n".join(
        [
            *lines,
            "",
            f"Held-out losses in nats per completion token; {untrained:.4f} without an adapter († above it). "
            f"{met} of {len(swept)} defaults are within {GOAL:g} % of the best of their sweep.",
        ]
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
