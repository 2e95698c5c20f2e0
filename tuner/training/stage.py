"""The stages `train`, one artifact per adapter, and `reference`, what preference objectives compare with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.models.settings import ROLES
from tuner.settings import settings
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import Part, Parts, Stage, Work
from tuner.training.methods import Method
from tuner.training.metrics import Referred, Trained


def _student(parts: Parts) -> dict[str, Any]:
    """What decides the student, its tokenizer and its chat template."""
    # The generator is part of the identity since a student without a chat template gets the generator's.
    models = {role: parts.models[role] for role in ROLES if role in parts.models}
    return {**models, **parts.recipe.models.rendering("student")}


def _identity(parts: Parts, adapter: Method) -> dict[str, Any]:
    """The settings that decide an adapter; what it goes on from is among the artifacts that it reads."""
    return {**_student(parts), "seed": parts.recipe.seed, **adapter.model_dump(mode="json", exclude={"start"})}


def _on_rows(parts: Parts) -> Iterator[Part]:
    """The adapters that are trained on the rows of the split; those that go on from another behind the others."""
    adapters = {name: each for name, each in parts.recipe.training.items() if not each.objective.pairs}
    made: dict[str, Part] = {}
    for name, adapter in sorted(adapters.items(), key=lambda each: each[1].start is not None):
        start = {"start": made[adapter.start]} if adapter.start else {}
        made[name] = TRAIN.part(_identity(parts, adapter), {"data": parts.one("split"), **start}, name)
        yield made[name]


def _on_pairs(parts: Parts) -> Iterator[Part]:
    """The adapters that are trained on preference pairs."""
    for name, adapter in parts.recipe.training.items():
        if not adapter.objective.pairs:
            continue
        reads = {"data": parts.one("split"), "pairs": parts.one("pair")}
        if adapter.objective.reference:
            reads["reference"] = parts.one("reference", _reference_label(adapter))
        if adapter.start:
            reads["start"] = parts.one("train", adapter.start)
        yield TRAIN.part(_identity(parts, adapter), reads, name)


def _train(work: Work) -> Trained:
    from tuner.models import resident
    from tuner.training.train import Inputs, train

    resident.release()  # the child needs the memory
    split = work.manifest("data")
    data = work.manifest("pairs") if "pairs" in work.part.reads else split
    sides = [side for side in written(data) if side != SIDES[VALIDATION]]
    reference = work.manifest("reference") if "reference" in work.part.reads else None
    inputs = Inputs(
        sides={side: work.store.fetch(data, file_of(side)) for side in sides},
        reference={side: work.store.fetch(reference, file_of(side)) for side in sides} if reference else {},
        start=_start(work),
    )
    return train(work.part.label, work.recipe, inputs, SplitMetrics.read(split), work.part.fingerprint, work.folder)


def _start(work: Work) -> Path | None:
    """The folder of the adapter that is gone on from, if any."""
    if "start" not in work.part.reads:
        return None
    trained = work.manifest("start")
    return work.store.fetch_folder(trained, "adapter", settings().folder("cache/adapters") / trained.fingerprint)


def _reference_label(adapter: Method) -> str:
    """The label of the reference of an adapter, such as `student, 512 tokens`: what distinguishes it from others."""
    parts = [adapter.start or "student", adapter.quantization, f"{adapter.max_length} tokens"]
    return ", ".join(part for part in [*parts, "mismatched" if adapter.objective.mismatches else None] if part)


def _referred(parts: Parts) -> Iterator[Part]:
    """The references that the recipe's adapters need, each once."""
    adapters = [each for each in parts.recipe.training.values() if each.objective.pairs and each.objective.reference]
    for label, adapter in {_reference_label(each): each for each in adapters}.items():
        identity = {
            **_student(parts),
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
        _start(work),
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
