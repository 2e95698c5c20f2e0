"""Trains a leg of a trial."""

from tuner.errors import StageError
from tuner.stage import Work
from tuner.training import inputs, process
from tuner.training.sweeps.metrics import Tried
from tuner.training.sweeps.stages import Leg


def attempt(work: Work) -> Tried:
    """Trains a leg; a trial that diverges, now or before, ends without weights, and does not end the run.

    Raises:
        InputError: If the trial cannot be trained as it is.
        StageError: If there are no rows to choose by.
        TrainingError: If the training failed.
    """
    from tuner.models import resident
    from tuner.training.train import train

    leg: Leg = work.part.subject
    share, is_last = float(leg.share), leg.share == 1
    before = Tried.read(work.manifest("before")) if leg.number else None
    if before and before.diverged:
        return before.model_copy(update={"share": share})
    resident.release()  # the child needs the memory
    try:
        files = inputs.fetched(work)
        trained = train(work, leg.settings, files, work.recipe.seed, until=None if is_last else share)
    except process.TrainingDivergedError as error:
        spent = {"tokens": before.tokens, "seconds": before.seconds} if before else {"tokens": 0, "seconds": 0.0}
        return Tried(share=share, loss=None, diverged=str(error), **spent)
    if trained.last_tuning_loss is None:
        raise StageError(f"{work.part.stage} {work.part.label}: no row to choose by is left; raise split.tuning")
    return Tried(
        share=share,
        loss=trained.last_tuning_loss,
        tokens=trained.tokens,
        seconds=trained.seconds,
        trained=trained if is_last else None,
    )
