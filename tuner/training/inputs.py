"""What the stages that train read, and the identity of what they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.models.settings import ROLES
from tuner.settings import settings
from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import Part, Parts, Work
from tuner.training.methods import Method


@dataclass(frozen=True)
class Inputs:
    """The files to train with.

    Attributes:
        sides: The rows or pairs to train on and, if there are any, to choose by, by side.
        reference: The likelihoods of the pairs under the reference, by side; empty if there is none.
        start: The folder of the adapter to go on from.
        state: The folder of the state in which the leg before ended.
    """

    sides: Mapping[str, Path]
    reference: Mapping[str, Path] = field(default_factory=dict[str, Path])
    start: Path | None = None
    state: Path | None = None


def student(parts: Parts) -> dict[str, Any]:
    """What decides the student, its tokenizer and its chat template."""
    # The generator is part of the identity since a student without a chat template gets the generator's.
    models = {role: parts.models[role] for role in ROLES if role in parts.models}
    return {**models, **parts.recipe.models.rendering("student")}


def identity(parts: Parts, adapter: Method, number: int = 1) -> dict[str, Any]:
    """The settings that decide an adapter; what it goes on from is among the artifacts that it reads.

    Args:
        parts: The planned artifacts.
        adapter: The adapter's settings.
        number: Which of its trainings this is, from 1; each has a seed of its own.
    """
    own = adapter.model_dump(mode="json", exclude={"start", "sweep", "seeds"})
    return {**student(parts), "seed": seed(parts.recipe.seed, number), **own}


def seed(first: int, number: int) -> int:
    """The seed of an adapter's training.

    Args:
        first: The recipe's seed.
        number: Which of the adapter's trainings this is, from 1.
    """
    return first + number - 1


def reads(parts: Parts, adapter: Method) -> dict[str, Part | Sequence[Part]]:
    """The planned artifacts that an adapter is trained with, by role."""
    found: dict[str, Part | Sequence[Part]] = {"data": parts.one("split")}
    if adapter.objective.pairs:
        found["pairs"] = parts.one("pair")
    if adapter.objective.pairs and adapter.objective.reference:
        found["reference"] = parts.one("reference", reference_label(adapter))
    if adapter.start:
        found["start"] = parts.one("train", adapter.start)
    return found


def reference_label(adapter: Method) -> str:
    """The label of the reference of an adapter, such as `student, 512 tokens`: what distinguishes it from others."""
    parts = [adapter.start or "student", adapter.quantization, f"{adapter.max_length} tokens"]
    return ", ".join(part for part in [*parts, "mismatched" if adapter.objective.mismatches else None] if part)


def fetched(work: Work) -> Inputs:
    """The files of the artifacts that `reads` planned, and of the leg before, if there is one."""
    data = work.manifest("pairs" if "pairs" in work.part.reads else "data")
    sides = [side for side in written(data) if side != SIDES[VALIDATION]]
    reference = work.manifest("reference") if "reference" in work.part.reads else None
    return Inputs(
        sides={side: work.store.fetch(data, file_of(side)) for side in sides},
        reference={side: work.store.fetch(reference, file_of(side)) for side in sides} if reference else {},
        start=folder(work, "start", "adapter"),
        state=folder(work, "before", "state"),
    )


def folder(work: Work, role: str, name: str) -> Path | None:
    """The local copy of a folder of the only input of a role; None if there is no such input."""
    if role not in work.part.reads:
        return None
    made = work.manifest(role)
    return work.store.fetch_folder(made, name, settings().folder(f"cache/{name}s") / made.fingerprint)
