"""The stage `train`: one adapter each."""

from collections.abc import Iterator

from tuner.splitting.metrics import Divided
from tuner.stage import Part, Parts, Stage, Work
from tuner.training.metrics import Trained


def _parts(parts: Parts) -> Iterator[Part]:
    # The generator lends its chat template to a student that has none.
    shared = {**parts.models, "seed": parts.recipe.seed}
    for name, adapter in parts.recipe.training.items():
        settings = {**shared, **adapter.model_dump(mode="json")}
        yield TRAIN.part(settings, {"data": parts.one("split")}, name)


def _work(work: Work) -> Trained:
    from tuner.models import held
    from tuner.training.train import train

    held.release()  # the child needs the memory
    data = work.file("data", "train.parquet")
    divided = Divided.read(work.manifest("data"))
    return train(work.part.label, work.recipe, data, divided, work.part.fingerprint, work.folder)


TRAIN = Stage(
    "train",
    1,
    Trained,
    _parts,
    _work,
    "Trains adapters; a training that was killed goes on from its checkpoint.",
    gpu=True,
    per="adapter",
    deployment="tune",
)
