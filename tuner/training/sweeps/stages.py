"""The stages of sweeps: `trial`, a leg of one trial, and `steer`, which decides which trials are trained.

Trials are trained in legs, which end at the looks of the race. A leg follows from its trial's settings and the leg
before alone, so that other trials can be added to a sweep, and stopped, without any leg being trained again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from tuner.stage import Part, Parts, Stage, Work
from tuner.training import inputs
from tuner.training.methods import Method
from tuner.training.sweeps.metrics import Steered, Tried
from tuner.training.sweeps.settings import Sweep
from tuner.training.sweeps.trials import trials, validated

LOOKS = (Fraction(1, 16), Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
"""The shares of a training after which its trials are compared; after the last, those that still run go to the end."""

ROUNDS = 4
"""The rounds in which `tpe` proposes trials."""


@dataclass(frozen=True)
class Leg:
    """A leg of a trial.

    Attributes:
        adapter: The adapter's name.
        trial: The trial's number in the sweep, from 0.
        varied: Its settings that differ between trials.
        settings: All its settings.
        number: The leg's number, from 0.
        share: The share of the training that is done when it ends.
    """

    adapter: str
    trial: int
    varied: dict[str, Any]
    settings: Method
    number: int
    share: Fraction

    @property
    def label(self) -> str:
        """Such as `lora trial 3 to 1/8`; the last is `lora trial 3`. Trials are numbered from 1."""
        return f"{self.adapter} trial {self.trial + 1}" + (f" to {self.share}" if self.share < 1 else "")


@dataclass(frozen=True)
class Look:
    """A look at the trials of a sweep.

    Attributes:
        adapter: The adapter's name.
        number: The look's number, an index of `LOOKS`.
        trials: The trials of the sweep.
    """

    adapter: str
    number: int
    trials: int


@dataclass(frozen=True)
class Round:
    """A round of proposed trials.

    Attributes:
        adapter: The adapter's name.
        before: The trials of the rounds before.
        count: The trials of this round.
    """

    adapter: str
    before: int
    count: int


def legs(sweep: Sweep) -> tuple[Fraction, ...]:
    """The shares of a training after which its legs end."""
    return (*LOOKS, Fraction(1)) if sweep.races else (Fraction(1),)


def _swept(parts: Parts, pairs: bool) -> Iterator[tuple[str, Method, Sweep]]:
    """The adapters that have a sweep: those trained on pairs, or the others."""
    for name, adapter in parts.recipe.training.items():
        if adapter.sweep is not None and adapter.objective.pairs == pairs:
            yield name, adapter, adapter.sweep


def _legs(parts: Parts, pairs: bool = False) -> Iterator[Part]:
    for name, adapter, sweep in _swept(parts, pairs):
        shared = inputs.reads(parts, adapter)
        before: dict[int, Part] = {}
        every = trials(name, adapter, sweep, parts.recipe.seed)
        for number, share in enumerate(legs(sweep)):
            for trial in sweep.running(number, len(every)):
                settings = validated(name, adapter, every[trial])
                # All settings: a trial has the fingerprint of an equal one in another sweep.
                identity = {**inputs.identity(parts, settings), "until": str(share)}
                reads = {**shared, "before": before[trial]} if number else shared
                leg = Leg(name, trial, every[trial], settings, number, share)
                before[trial] = TRIAL.part(identity, reads, leg.label, subject=leg)
                yield before[trial]


def _try(work: Work) -> Tried:
    from tuner.training.sweeps.trying import attempt

    return attempt(work)


def _steering(parts: Parts, pairs: bool = False) -> Iterator[Part]:
    """The looks at trials that race, and the rounds of proposed trials: those made, and the next."""
    for name, adapter, sweep in _swept(parts, pairs):
        tried = [part for part in parts.of("trial") if part.subject.adapter == name]
        if sweep.races:
            count = len(trials(name, adapter, sweep, parts.recipe.seed))
            for number, share in enumerate(LOOKS):
                settings = {"trials": count, "looks": [str(each) for each in LOOKS[: number + 1]]}
                reads = {"trials": [part for part in tried if part.subject.number <= number]}
                yield STEER.part(settings, reads, f"{name} at {share}", subject=Look(name, number, count))
        elif sweep.trials and sweep.how == "tpe":
            size = -(-sweep.trials // ROUNDS)
            for before in range(0, min(len(sweep.proposed), sweep.trials - 1) + 1, size):
                which = Round(name, before, min(size, sweep.trials - before))
                settings = {
                    **inputs.identity(parts, adapter),
                    "sweep": sweep.asked.model_dump(mode="json", exclude={"trials"}),
                    "before": before,
                    "count": which.count,
                }
                yield STEER.part(settings, {"trials": tried[:before]}, f"{name} from {before + 1}", subject=which)


def _steer(work: Work) -> Steered:
    from tuner.training.sweeps import looking, proposing

    return looking.look(work) if isinstance(work.part.subject, Look) else proposing.propose(work)


TRIAL = Stage(
    "trial",
    1,
    Tried,
    _legs,
    _try,
    "Trains a trial of a sweep up to a look; one that was killed resumes from its checkpoint.",
    gpu=True,
    exact=False,
    per="leg",
)

STEER = Stage(
    "steer",
    1,
    Steered,
    _steering,
    _steer,
    "Decides which trials of a sweep are trained: stops those that surely lag, or proposes others.",
    per="decision",
)

TRIAL_ON_PAIRS = replace(TRIAL, parts=partial(_legs, pairs=True))
STEER_ON_PAIRS = replace(STEER, parts=partial(_steering, pairs=True))
"""The same stages again, behind those that make pairs."""
