"""The stage `train`: one adapter each."""

from collections.abc import Iterator
from typing import Any

from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    # The generator lends its chat template to a student that has none.
    shared = {**parts.models, "seed": parts.recipe.seed}
    for name, adapter in parts.recipe.training.items():
        settings = {**shared, **adapter.model_dump(mode="json")}
        yield TRAIN.part(settings, {"data": parts.one("split")}, name)


def _work(work: Work) -> dict[str, Any]:
    from tuner.models import held
    from tuner.training.train import train

    held.release()  # the child needs the memory
    data = work.file("data", "train.parquet")
    divided = work.manifest("data").metrics
    return train(work.part.label, work.recipe, data, divided, work.part.fingerprint, work.folder)


TRAIN = Stage(
    "train",
    1,
    _parts,
    _work,
    "Trains adapters; a training that was killed goes on from its checkpoint.",
    gpu=True,
    per="adapter",
    deployment="tune",
)
