"""The plan: which artifacts a recipe needs, which are there, and why the others are not.

Every fingerprint follows from the recipe alone, so a plan reads manifests and computes nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tuner import specs
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.recipe import Recipe
from tuner.specs import STAGES


@dataclass(frozen=True)
class Step:
    """One artifact of a plan.

    Attributes:
        spec: What it is.
        manifest: There if the artifact is complete and unhurt.
        reason: Why it is missing; empty if it is there.
    """

    spec: Spec
    manifest: Manifest | None
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """All steps of a recipe, by stage, up to the stage asked for."""

    steps: dict[str, list[Step]]

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(step.manifest for steps in self.steps.values() for step in steps)

    @property
    def missing(self) -> list[Step]:
        """The steps still to be run."""
        return [step for steps in self.steps.values() for step in steps if not step.manifest]


def plan(recipe: Recipe, store: Store, until: str = STAGES[-1]) -> Plan:
    """Looks up every artifact of a recipe.

    Args:
        recipe: The recipe.
        store: Where to look.
        until: The last stage wanted.

    Raises:
        InputError: If `until` is no stage, or a model string means nothing.
    """
    if until not in STAGES:
        raise InputError(f"--until {until}: no such stage; one of {', '.join(STAGES)}")
    wanted = specs.of_recipe(recipe)
    steps = {}
    for stage in STAGES[: STAGES.index(until) + 1]:
        # Listed once a stage, and only if something is missing.
        others = cache(lambda stage=stage: list(store.manifests(stage)))
        steps[stage] = [_step(spec, store, others) for spec in wanted.of(stage)]
    return Plan(steps)


def _step(spec: Spec, store: Store, others: Callable[[], list[Manifest]]) -> Step:
    try:
        manifest = store.find(spec.stage, spec.fingerprint)
    except DamagedArtifactError as error:
        return Step(spec, None, f"damaged: {error.problem}")
    if manifest is None:
        return Step(spec, None, _why(spec, others()))
    if problem := store.problem(manifest):
        return Step(spec, None, f"damaged: {problem}")
    return Step(spec, manifest)


def _why(spec: Spec, others: Iterable[Manifest]) -> str:
    """Which settings differ from the nearest existing artifact."""
    wanted = _flat(spec)
    best: list[str] | None = None
    for other in others:
        had = _flat(other)
        differing = [key for key in sorted({*wanted, *had}) if wanted.get(key) != had.get(key)]
        if best is None or len(differing) < len(best):
            best = [_change(key, had.get(key), wanted.get(key)) for key in differing]
    if best is None:
        return "never made in this store"
    # Settings explain more than fingerprints of inputs, which only say that an earlier stage differs.
    best.sort(key=lambda text: text.endswith(" differs"))
    return "; ".join(best[:3]) + (f" and {len(best) - 3} more" if len(best) > 3 else "")


def _change(key: str, had: Any, wanted: Any) -> str:
    if key.startswith("input "):
        return f"{key} differs"
    return f"{key}: {had} -> {wanted}"


def _flat(artifact: Spec | Manifest) -> dict[str, Any]:
    flat: dict[str, Any] = {"stage version": artifact.version}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else key, item)
        else:
            flat[prefix] = list(value) if isinstance(value, tuple) else value

    walk("", artifact.identity)
    for role, fingerprints in artifact.inputs.items():
        flat[f"input {role}"] = fingerprints
    return flat
