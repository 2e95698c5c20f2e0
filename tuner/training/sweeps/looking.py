"""Compares the trials of a sweep at a look."""

import numpy as np

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.stage import Work
from tuner.training.results import LOSSES_FILE
from tuner.training.sweeps.metrics import Steered, Stopped, Tried
from tuner.training.sweeps.racing import stops
from tuner.training.sweeps.stages import LOOKS, Leg, Look


def look(work: Work) -> Steered:
    """Decides which trials go on.

    Raises:
        StageError: If all trials have diverged.
    """
    which: Look = work.part.subject
    tokens = None
    losses = np.empty((0, 0, 0))
    running: list[int] = []
    for part, manifest in zip(work.part.reads["trials"], work.manifests("trials"), strict=True):
        leg: Leg = part.subject
        if leg.number == which.number:
            running.append(leg.trial)
        if Tried.read(manifest).diverged:
            continue
        table = parquet.read(work.store.fetch(manifest, LOSSES_FILE))
        if tokens is None:
            tokens = table["tokens"].to_numpy()
            losses = np.full((which.trials, which.number + 1, tokens.size), np.inf)
        losses[leg.trial, leg.number] = table["loss_sum"].to_numpy()
    shares = [float(share) for share in LOOKS[: which.number + 1]]
    stopped = stops(losses, tokens, shares, running) if tokens is not None else ()
    on = [trial for trial in running if trial not in {stop.trial for stop in stopped}]
    if tokens is None or not on:
        raise StageError(f"training.{which.adapter}.sweep: every trial has diverged; lower the learning rates")
    return Steered(
        share=shares[-1],
        running=tuple(on),
        stopped=tuple(Stopped(trial=stop.trial, reason=str(stop)) for stop in stopped),
        loss=float(losses[on, -1].sum(axis=1).min() / tokens.sum()),
    )
