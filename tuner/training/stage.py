"""The stage `train`: one artifact per adapter."""

from collections.abc import Iterator

from tuner.models.settings import ROLES
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import Part, Parts, Stage, Work
from tuner.training.metrics import Trained


def _parts(parts: Parts) -> Iterator[Part]:
    # The generator is part of the identity since a student without a chat template gets the generator's.
    models = {role: parts.models[role] for role in ROLES if role in parts.models}
    shared = {**models, **parts.recipe.models.rendering("student"), "seed": parts.recipe.seed}
    for name, adapter in parts.recipe.training.items():
        settings = {**shared, **adapter.model_dump(mode="json")}
        yield TRAIN.part(settings, {"data": parts.one("split")}, name)


def _work(work: Work) -> Trained:
    from tuner.models import resident
    from tuner.training.train import train

    resident.release()  # the child needs the memory
    split = work.manifest("data")
    sides = {side: work.file("data", file_of(side)) for side in written(split) if side != SIDES[VALIDATION]}
    return train(work.part.label, work.recipe, sides, SplitMetrics.read(split), work.part.fingerprint, work.folder)


TRAIN = Stage(
    "train",
    3,
    Trained,
    _parts,
    _work,
    "Trains adapters; a training that was killed resumes from its checkpoint.",
    gpu=True,
    exact=False,
    per="adapter",
    deployment="tune",
)
