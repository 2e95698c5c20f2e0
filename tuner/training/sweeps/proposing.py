"""Chooses the trials of a round by the results of those before."""

from tuner.errors import InputError
from tuner.stage import Work
from tuner.training.sweeps import tpe
from tuner.training.sweeps.metrics import Steered, Tried
from tuner.training.sweeps.stages import Round


def propose(work: Work) -> Steered:
    """Proposes a round of trials.

    Raises:
        InputError: If Optuna is not installed, or the swept settings have no more combinations.
    """
    which: Round = work.part.subject
    adapter = work.recipe.training[which.adapter]
    assert adapter.sweep is not None
    results = [
        tpe.Result(part.subject.varied, Tried.read(manifest).loss)
        for part, manifest in zip(work.part.reads["trials"], work.manifests("trials"), strict=True)
    ]
    proposed = tpe.propose(which.adapter, adapter, adapter.sweep, work.recipe.seed, results, which.count)
    if len(proposed) < which.count:
        raise InputError(
            f"training.{which.adapter}.sweep.trials: is {adapter.sweep.trials}, but the swept settings have no more "
            f"than about {which.before + len(proposed)} combinations; lower it, or use how: grid"
        )
    return Steered(proposed=proposed)
