"""Chooses the best trial of a sweep, whose adapter becomes that of the recipe."""

import shutil
from collections.abc import Sequence

from tuner.artifacts import parquet
from tuner.artifacts.manifest import Manifest
from tuner.errors import StageError
from tuner.settings import settings
from tuner.stage import Work
from tuner.training.methods import Method
from tuner.training.metrics import Swept, Trained, Trial
from tuner.training.sweeps.metrics import Steered, Tried
from tuner.training.sweeps.stages import Leg
from tuner.training.sweeps.trials import validated


def best(work: Work) -> Trained:
    """Copies the adapter and the curve of the trial with the lowest loss on the tuning rows; of equals, the first.

    Returns:
        Its metrics, with those of the sweep.

    Raises:
        StageError: If every trial has diverged.
    """
    legs: dict[int, list[tuple[Leg, Manifest]]] = {}
    for part, made in zip(work.part.reads["trials"], work.manifests("trials"), strict=True):
        legs.setdefault(part.subject.trial, []).append((part.subject, made))
    reasons = {stop.trial: stop.reason for look in work.manifests("decisions") for stop in Steered.read(look).stopped}
    trials = [_trial(work, legs[number], reasons.get(number)) for number in sorted(legs)]
    finished = {
        number: trial.loss for number, trial in enumerate(trials) if trial.stopped is None and trial.loss is not None
    }
    if not finished:
        name = legs[0][0][0].adapter
        raise StageError(f"training.{name}.sweep: every trial has diverged; lower the learning rates")
    winner = min(finished, key=lambda number: finished[number])
    _, manifest = legs[winner][-1]
    folder = settings().folder("cache/adapters") / manifest.fingerprint
    shutil.copytree(work.store.fetch_folder(manifest, "adapter", folder), work.folder / "adapter")
    shutil.copyfile(work.store.fetch(manifest, "curve.parquet"), work.folder / "curve.parquet")
    trained = Tried.read(manifest).trained
    assert trained is not None
    return trained.model_copy(update={"swept": Swept(trials=tuple(trials), winner=winner)})


def _trial(work: Work, legs: Sequence[tuple[Leg, Manifest]], stopped: str | None) -> Trial:
    """What came of a trial, from the legs that were trained."""
    leg, made = legs[-1]
    last = Tried.read(made)
    return Trial(
        settings=leg.varied,
        share=last.share,
        loss=last.loss,
        curve=next((_curve(work, each) for _, each in reversed(legs) if Tried.read(each).loss is not None), ()),
        tokens=last.tokens,
        seconds=last.seconds,
        stopped=stopped or last.diverged,
    )


def _curve(work: Work, leg: Manifest) -> tuple[tuple[float, float], ...]:
    """The shares of a training and the losses after them, up to the end of a leg."""
    curve = parquet.read(work.store.fetch(leg, "curve.parquet"))
    steps, losses = curve["step"].to_pylist(), curve["tuning_loss"].to_pylist()
    done = Tried.read(leg).share / steps[-1]
    return tuple((step * done, loss) for step, loss in zip(steps, losses, strict=True) if loss is not None)


def settings_of_best(work: Work, name: str) -> Method:
    """An adapter's settings with those of the best trial of its sweep.

    Args:
        work: The artifact to make, which reads that of the sweep.
        name: The adapter's name.
    """
    swept = Trained.read(work.manifest("best")).swept
    assert swept is not None
    return validated(name, work.recipe.training[name], swept.trials[swept.winner].settings)
