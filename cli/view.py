"""The live view in the terminal: progress, speed and time left of every stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cli.terminal import is_verbose
from tuner import interruption, progress
from tuner.planning import Plan
from tuner.registry import STAGES

MARKS = {"waiting": ("·", "dim"), "running": ("▶", "cyan"), "done": ("✓", "green"), "cached": ("=", "green")}


@dataclass
class Row:
    """A row of the view: one stage, or one adapter's training."""

    stage: str
    labels: list[str]
    states: dict[str, str] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    pace: progress.Pace = field(default_factory=progress.Pace)
    left: float | None = None

    @property
    def share(self) -> float:
        """The fraction done, 0 to 1."""
        return sum(self.shares.values()) / len(self.labels)

    @property
    def state(self) -> str:
        """The row's state: `waiting`, `running`, `done` or `cached`."""
        if len(self.states) == len(self.labels) and "running" not in self.states.values():
            return "cached" if set(self.states.values()) == {"cached"} else "done"
        return "running" if self.started is not None else "waiting"


class View:
    """A table that shows progress events.

    Args:
        plan: The plan to run.
    """

    def __init__(self, plan: Plan) -> None:
        self._clock = time.monotonic()
        self._note = ""
        self._rows: list[Row] = []
        for stage, steps in plan.steps.items():
            labels = [step.spec.label for step in steps]
            groups = [labels] if STAGES[stage].sharded else [[label] for label in labels]
            self._rows += [Row(stage, group) for group in groups]

    def handle(self, event: progress.Event) -> None:
        """Updates the view by one event."""
        self._note = event.note or self._note
        for row in self._rows:
            if row.stage == event.stage:
                if STAGES[row.stage].sharded and event.label not in ("", *row.labels):
                    row.labels.append(event.label)  # a run with a target adds shards
                label = event.label if event.label in row.labels else row.labels[0] if len(row.labels) == 1 else None
                if label is None or (label != event.label and not STAGES[row.stage].sharded and row.labels[0]):
                    continue
                self._update(row, label, event)

    def _update(self, row: Row, label: str, event: progress.Event) -> None:
        row.states[label] = event.state
        row.shares[label] = 1.0 if event.state != "running" else event.done / event.total if event.total else 0.0
        if event.figures:
            row.figures = event.figures
        if event.state == "running" and row.started is None:
            row.started = time.monotonic()
        if row.started is not None:  # cached artifacts do not count towards the pace
            row.left = row.pace.left(row.share)
        if row.state in ("done", "cached") and row.ended is None:
            row.ended = time.monotonic()

    def __rich__(self) -> RenderableType:
        """The current table; with the longest names and figures it fits 80 columns."""
        table = Table.grid(padding=(0, 2))
        for _ in range(5):
            table.add_column(no_wrap=True)
        for row in self._rows:
            mark, style = MARKS[row.state]
            name = row.stage if STAGES[row.stage].sharded else f"{row.stage} {row.labels[0]}".strip()
            bar = ProgressBar(total=1.0, completed=row.share, width=8, complete_style=style, finished_style=style)
            figures = "  ".join(text for text in (self._count(row), self._speed(row)) if text)
            table.add_row(Text(mark, style), Text(name), bar, figures, self._time(row))
        elapsed = progress.clock(time.monotonic() - self._clock)
        notes = [Text(self._note)] if self._note else []
        return Group(table, *notes, Text(f"{elapsed} elapsed", style="dim"))

    @staticmethod
    def _count(row: Row) -> str:
        if len(row.labels) == 1:
            return f"{row.share:.0%}" if row.state == "running" else ""
        finished = sum(state != "running" for state in row.states.values())
        return f"{STAGES[row.stage].per} {min(finished + 1, len(row.labels))} of {len(row.labels)}"

    @staticmethod
    def _speed(row: Row) -> str:
        if row.state == "cached":
            return "cached"
        return "  ".join(progress.measured(row.figures))

    @staticmethod
    def _time(row: Row) -> str:
        if row.started is None:
            return ""
        spent = (row.ended or time.monotonic()) - row.started
        if row.state != "running" or row.left is None:
            return progress.clock(spent)
        return f"{progress.clock(spent)}, {progress.clock(row.left)} left"


@contextmanager
def watching(plan: Plan, console: Console) -> Iterator[None]:
    """Shows progress for the duration of a block; as plain lines if verbose or without a terminal."""
    if console.is_terminal and not is_verbose():
        view = View(plan)
        with progress.listening(view.handle), Live(view, console=console, refresh_per_second=4) as live:
            interruption.before_last_line(live.stop)  # restores the cursor and starts a new line
            yield
        return

    printed: set[tuple[str, str, str]] = set()
    lines = progress.Lines()

    def print_event(event: progress.Event) -> None:
        key = (event.stage, event.label, event.state)
        name = f"{event.stage} {event.label}".strip()
        if key not in printed:
            printed.add(key)
            console.print(name, event.state, highlight=False)
        if line := lines.of(event):
            console.print(f"{name}: {line}", highlight=False, markup=False)

    with progress.listening(print_event):
        yield
