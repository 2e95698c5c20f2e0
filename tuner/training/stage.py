"""The stages `train`, one artifact per training, and `reference`, what preference objectives compare with."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import Part, Parts, Stage, Work
from tuner.training import inputs
from tuner.training.methods import Method
from tuner.training.metrics import Referred, Trained


@dataclass(frozen=True)
class Training:
    """One training of an adapter.

    Attributes:
        adapter: The adapter's name.
        number: Which of its trainings this is, from 1; each has a seed of its own.
    """

    adapter: str
    number: int


def _on_rows(parts: Parts) -> Iterator[Part]:
    """The adapters that are trained on the rows of the split; those that go on from another behind the others."""
    adapters = [item for item in parts.recipe.training.items() if not item[1].objective.pairs]
    for name, adapter in sorted(adapters, key=lambda item: item[1].start is not None):
        yield from _trainings(parts, name, adapter)


def _on_pairs(parts: Parts) -> Iterator[Part]:
    """The adapters that are trained on preference pairs."""
    for name, adapter in parts.recipe.training.items():
        if adapter.objective.pairs:
            yield from _trainings(parts, name, adapter)


def _trainings(parts: Parts, name: str, adapter: Method) -> Iterator[Part]:
    """The trainings of an adapter: the first is the best trial of its sweep, if it has one; the others repeat it."""
    for number, label in enumerate(adapter.labels(name), start=1):
        settings = inputs.identity(parts, adapter, number)
        if adapter.sweep and number == 1:
            settings["chosen"] = "the trial with the lowest tuning loss"
            reads = {"data": parts.one("split"), **trials_of(parts, name)}
        else:
            reads = inputs.reads(parts, adapter)
            if adapter.sweep:
                reads["best"] = parts.one("train", name)
        yield TRAIN.part(settings, reads, label, subject=Training(name, number))


def trials_of(parts: Parts, name: str) -> dict[str, list[Part]]:
    """The planned trials of an adapter's sweep, and what decides which they are, by role."""
    roles = {"trials": "trial", "decisions": "steer"}
    return {role: [each for each in parts.of(stage) if each.subject.adapter == name] for role, stage in roles.items()}


def _train(work: Work) -> Trained:
    from tuner.models import resident
    from tuner.training.sweeps import choosing
    from tuner.training.train import train

    which: Training = work.part.subject
    if "trials" in work.part.reads:
        return choosing.best(work)
    resident.release()  # the child needs the memory
    adapter = work.recipe.training[which.adapter]
    if "best" in work.part.reads:
        adapter = choosing.settings_of_best(work, which.adapter)
    return train(work, adapter, inputs.fetched(work), inputs.seed(work.recipe.seed, which.number))


def _referred(parts: Parts) -> Iterator[Part]:
    """The references that the recipe's adapters need, each once."""
    adapters = [each for each in parts.recipe.training.values() if each.objective.pairs and each.objective.reference]
    for label, adapter in {inputs.reference_label(each): each for each in adapters}.items():
        identity = {
            **inputs.student(parts),
            "quantization": adapter.quantization,
            "max_length": adapter.max_length,
            "mismatched": adapter.objective.mismatches,
        }
        start = {"start": parts.one("train", adapter.start)} if adapter.start else {}
        yield REFERENCE.part(identity, {"pairs": parts.one("pair"), **start}, label, subject=adapter)


def _refer(work: Work) -> Referred:
    from tuner.models import resident
    from tuner.training.reference import refer

    resident.release()
    adapter: Method = work.part.subject
    made = work.manifest("pairs")
    return refer(
        work.recipe.models,
        adapter.quantization,
        inputs.folder(work, "start", "adapter"),
        {side: work.store.fetch(made, file_of(side)) for side in written(made) if side != SIDES[VALIDATION]},
        adapter.max_length,
        adapter.objective.mismatches,
        work.folder,
        work.part.label,
    )


REFERENCE = Stage(
    "reference",
    1,
    Referred,
    _referred,
    _refer,
    "Computes how likely the answers of preference pairs are before the training.",
    gpu=True,
    exact=False,
    per="reference",
)

TRAIN = Stage(
    "train",
    3,
    Trained,
    _on_rows,
    _train,
    "Trains adapters; a training that was killed resumes from its checkpoint.",
    gpu=True,
    exact=False,
    per="adapter",
    deployment="tune",
)

TRAIN_ON_PAIRS = replace(TRAIN, parts=_on_pairs)
"""The same stage again, behind the stages that make pairs."""
