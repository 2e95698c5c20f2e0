"""The chapter on sweeps: which settings were tried, what came of them, and which trials were stopped and why."""

from dataclasses import dataclass

from tuner.report.contents import Contents
from tuner.report.wording import count, duration, listed, number, percent
from tuner.training.metrics import Swept, Trial


@dataclass(frozen=True)
class Row:
    """A trial in the table of a sweep.

    Attributes:
        number: Its number, from 1.
        settings: The settings that distinguish it, in words.
        trained: The share of its training that was done, in words.
        loss: Its last loss on the tuning rows, in words.
        end: Why it was stopped; empty if it was not.
        won: Whether it is the one that was taken.
    """

    number: int
    settings: str
    trained: str
    loss: str
    end: str
    won: bool


@dataclass(frozen=True)
class Chapter:
    """The sweep of an adapter.

    Attributes:
        adapter: The adapter's name.
        key: The key of its figure.
        lines: What came of it, in sentences.
        rows: Its trials, the best first.
    """

    adapter: str
    key: str
    lines: list[str]
    rows: list[Row]


def key_of(adapter: str) -> str:
    """The key of the figure of an adapter's sweep."""
    return f"sweep_{adapter}"


def of(contents: Contents) -> dict[str, Swept]:
    """The sweeps, by adapter."""
    return {name: trained.swept for name, trained in contents.training.items() if trained.swept}


def chapters(contents: Contents) -> list[Chapter]:
    """The sweep of every adapter that has one."""
    return [
        Chapter(
            adapter=name,
            key=key_of(name),
            lines=_sentences(name, swept),
            rows=[_row(swept, number) for number in _ranked(swept)],
        )
        for name, swept in of(contents).items()
    ]


def unequal(contents: Contents) -> str:
    """A warning if some adapters were chosen among trials and others were not; else empty."""
    swept = list(of(contents))
    others = [name for name, adapter in contents.recipe.training.items() if adapter.sweep is None]
    if not swept or not others:
        return ""
    return (
        f"{listed(swept)} {'was' if len(swept) == 1 else 'were'} chosen among several trials, "
        f"{listed(others)} {'was' if len(others) == 1 else 'were'} trained as the recipe says: the comparison "
        f"favours what was swept. Give every adapter a sweep of as many trials."
    )


def _sentences(name: str, swept: Swept) -> list[str]:
    trials, winner = swept.trials, swept.trials[swept.winner]
    losses = [trial.loss for trial in trials if trial.stopped is None and trial.loss is not None]
    seconds = sum(trial.seconds for trial in trials)
    lines = [
        f"{count(len(trials))} trials of {name} on {count(swept.tokens)} tokens took {duration(seconds)}. Trial "
        f"{swept.winner + 1} ({_settings(winner)}) has the lowest loss on the rows to choose by, "
        f"{number(winner.loss, 4)}, and is the adapter that is compared."
        + (f" The highest of those trained to the end is {number(max(losses), 4)}." if len(losses) > 1 else "")
    ]
    diverged = sum(trial.loss is None for trial in trials)
    if stopped := sum(trial.stopped is not None for trial in trials) - diverged:
        lines.append(
            f"{count(stopped)} trial{'s were' if stopped > 1 else ' was'} stopped, which saved {percent(swept.saved)} "
            f"of the tokens that {count(len(trials) - diverged)} whole trainings take."
        )
    if diverged:
        lines.append(f"{count(diverged)} trial{'s' if diverged > 1 else ''} diverged.")
    return lines


def _row(swept: Swept, number_of: int) -> Row:
    trial = swept.trials[number_of]
    return Row(
        number=number_of + 1,
        settings=_settings(trial),
        trained=percent(trial.share),
        loss=number(trial.loss, 4),
        end=trial.stopped or "",
        won=number_of == swept.winner,
    )


def _settings(trial: Trial) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in trial.settings.items())


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _ranked(swept: Swept) -> list[int]:
    """The trials by how far they were trained, then by their loss; of equals, by number."""

    def rank(number_of: int) -> tuple[float, float, int]:
        trial = swept.trials[number_of]
        return -trial.share, float("inf") if trial.loss is None else trial.loss, number_of

    return sorted(range(len(swept.trials)), key=rank)
