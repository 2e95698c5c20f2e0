"""The terminal output of a curation: the progress of each step, and a summary at the end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tuner import progress
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.owndata import explain
from tuner.owndata.metrics import CuratedFile
from tuner.progress import Event
from tuner.report import nearness

STEPS = {"read": "rows", "examine": "rows", "judge": "rows", "match": "parts", "curate": "shards"}
"""The steps shown, in order, and the unit of each."""

_LINES = 4
"""Lines that a step prints at most without a terminal."""


class StepProgress:
    """The progress of each step; for `examine` the sum of the rows of examined shards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._examined = self._rows = 0

    def take(self, event: Event) -> tuple[int, int]:
        """Adds an event; returns how much of its step is done, and the total."""
        with self._lock:
            if event.stage == "read":
                self._rows = event.total
            if event.stage != "examine":
                return event.done, event.total
            self._examined += int(event.figures["rows"])
            return self._examined, self._rows


@contextmanager
def watching(console: Console) -> Iterator[None]:
    """Shows progress for the duration of a block, as plain lines without a terminal."""
    steps = StepProgress()
    if not console.is_terminal:
        printed: dict[str, int] = {}

        def print_line(event: Event) -> None:
            if event.stage not in STEPS:
                return
            done, total = steps.take(event)
            quarter = _LINES * done // max(total, 1)
            if quarter > printed.get(event.stage, 0):
                printed[event.stage] = quarter
                console.print(f"{event.stage} {done:,} of {total:,} {STEPS[event.stage]}", highlight=False)

        with progress.listening(print_line):
            yield
        return

    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {
            step: bars.add_task(step, total=None, start=False, unit=unit) for step, unit in STEPS.items()
        }

        def draw(event: Event) -> None:
            if (task := tasks.get(event.stage)) is not None:
                done, total = steps.take(event)
                bars.start_task(task)
                bars.update(task, completed=done, total=total)

        with progress.listening(draw):
            yield


def summary(metrics: CuratedFile, curation: Curation, to: Path) -> str:
    """The summary: rows read, rows rejected by reason, kept, masked and set aside, and the output paths."""
    source = metrics.source
    rejected = {name: count for name, count in metrics.funnel.items() if count}
    width = max(map(len, [*rejected, "rows"]))
    lines = [f"{'rows':{width}}  {metrics.rows:>11,}  from {source.file}, taken as {source.kind}"]
    lines += [f"{name:{width}}  {-count:>11,}  {REASONS[name]}" for name, count in rejected.items()]
    lines.append(f"{'kept':{width}}  {metrics.kept:>11,}  {metrics.kept / max(metrics.rows, 1):.1%}")
    if masked := curation.safety.masked(metrics.marks):
        lines += ["", f"masked     {masked}; curation.safety in --set or a recipe says what is masked"]
    lines += ["", *notes] if (notes := source.notes) else []
    if set_aside := metrics.set_aside:
        reason, most = next(iter(set_aside.items()))
        lines += ["", f"{sum(set_aside.values()):,} more set aside, not curated; of {most:,}: {reason}"]
        lines.append(f"           {to / 'set_aside.jsonl'}")
    for hint in nearness.hints(metrics.reasons, metrics.rows, curation):
        lines += ["", f"hint       {hint}"]
    return "\n".join(
        [
            *lines,
            "",
            f"{metrics.seconds['all']:,.1f} s, {metrics.rows_per_second:,.0f} rows/s",
            f"kept       {to / 'kept'}",
            f"all rows   {to / 'rows'}",
            f"card       {to / 'README.md'}",
            f"examples   {to / explain.TAKEN}, three rows of every reason; --explain ROW says all of one",
        ]
    )
