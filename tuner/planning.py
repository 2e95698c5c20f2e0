"""The plan: which artifacts a recipe needs, which are there, and why the others are not.

Every fingerprint follows from the recipe alone, so a plan reads manifests and computes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned
from tuner.stage import Part

handed: ContextVar["tuple[Recipe, Plan] | None"] = ContextVar("handed", default=None)
"""What the command line has read and planned already for the flow that it starts in this process."""

NUMBERS = ("shard", "part")
"""What counts artifacts of one stage. That a higher number was never made is no difference in settings."""

OWN = (*NUMBERS, "input rows")
"""What tells artifacts of one stage and the same settings apart."""

Kind = dict[str, dict[str, Any]]
"""Artifacts of the same settings, flat, by what is their own."""


@dataclass(frozen=True)
class Step:
    """One artifact of a plan.

    Attributes:
        spec: What it is.
        manifest: There if the artifact is complete and unhurt.
        reason: Why it is missing; empty if it is there.
    """

    spec: Part
    manifest: Manifest | None
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """The steps of a recipe that the stage asked for needs, by stage."""

    steps: dict[str, list[Step]]

    def __iter__(self) -> Iterator[Step]:
        return (step for steps in self.steps.values() for step in steps)

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(step.manifest for step in self)

    @property
    def missing(self) -> list[Step]:
        """The steps still to be run."""
        return [step for step in self if not step.manifest]


def plan(recipe: Recipe, store: Store, until: str = NAMES[-1], since: str = NAMES[0]) -> Plan:
    """Looks up every artifact of a recipe.

    Args:
        recipe: The recipe.
        store: Where to look.
        until: The stage wanted; only what it is made from is planned besides. The last stage stands for all.
        since: The first stage that may compute anything; what comes before has to be there.

    Raises:
        InputError: If `until` or `since` is no stage or they are in the wrong order, if something before `since` is
            missing, or if a model string means nothing.
    """
    for option, stage in (("--until", until), ("--from", since)):
        if stage not in NAMES:
            raise InputError(f"{option} {stage}: no such stage; one of {', '.join(NAMES)}")
    if NAMES.index(since) > NAMES.index(until):
        raise InputError(f"--from {since}: comes after --until {until}; the stages are {', '.join(NAMES)}")
    wanted = planned(recipe)
    # A recipe that looks for no near duplicates has nothing to match: the stage before is then the last.
    last = next(stage for stage in reversed(NAMES[: NAMES.index(until) + 1]) if wanted.of(stage))
    needed = {part.fingerprint for part in wanted} if until == NAMES[-1] else wanted.behind(last)
    steps = {
        stage: _steps(stage, parts, store)
        for stage in NAMES
        if (parts := [part for part in wanted.of(stage) if part.fingerprint in needed])
    }
    for stage in NAMES[: NAMES.index(since)]:
        if lacking := [step for step in steps.get(stage, []) if not step.manifest]:
            raise InputError(
                f"--from {since}: {stage} is not complete in the store: {len(lacking)} of {len(steps[stage])} missing "
                f"({lacking[0].reason}); begin with --from {stage}"
            )
    return Plan(steps)


def some(recipe: Recipe, store: Store, stage: str, labels: Sequence[str] = ()) -> list[Step]:
    """Looks up artifacts of one stage.

    Args:
        recipe: The recipe.
        store: Where to look.
        stage: The stage.
        labels: Which of the stage's artifacts; all of them if none is given.

    Raises:
        InputError: If a label belongs to none of them, or a model string means nothing.
    """
    known = {spec.label: spec for spec in planned(recipe).of(stage)}
    for label in labels:
        if label not in known:
            there = list(known) if len(known) < 6 else [*list(known)[:2], "...", list(known)[-1]]
            raise InputError(f"{stage}: the recipe has no {label}; it has {', '.join(there)}")
    return _steps(stage, [known[label] for label in labels or known], store)


def _steps(stage: str, wanted: Sequence[Part], store: Store) -> list[Step]:
    there = store.look_up(stage, [spec.fingerprint for spec in wanted])
    # Read once, and only if something is missing.
    kinds = cache(lambda: _kinds(store.manifests(stage)))
    return [_step(spec, there.get(spec.fingerprint), kinds) for spec in wanted]


def _step(spec: Part, found: Manifest | DamagedArtifactError | None, kinds: Callable[[], list[Kind]]) -> Step:
    if isinstance(found, DamagedArtifactError):
        return Step(spec, None, f"damaged: {found.problem}")
    return Step(spec, found) if found else Step(spec, None, _why(spec, kinds()))


def _kinds(manifests: Iterable[Manifest]) -> list[Kind]:
    """Artifacts of a stage by their settings.

    Where there are thousands of shards, each that is missing is compared with one of every kind, not with all.
    """
    kinds: dict[str, Kind] = {}
    for manifest in manifests:
        flat = _flat(manifest)
        settings = sorted((key, value) for key, value in flat.items() if key not in OWN)
        kinds.setdefault(repr(settings), {})[_own(flat)] = flat
    return list(kinds.values())


def _own(flat: Mapping[str, Any]) -> str:
    return repr([flat.get(key) for key in OWN])


def _why(spec: Part, kinds: Iterable[Kind]) -> str:
    """Which settings differ from the nearest existing artifact."""
    wanted = _flat(spec)
    best: list[str] | None = None
    for kind in kinds:
        had = kind.get(_own(wanted)) or next(iter(kind.values()))
        differing = [key for key in sorted({*wanted, *had} - {*NUMBERS}) if wanted.get(key) != had.get(key)]
        if best is None or len(differing) < len(best):
            best = [_change(key, had.get(key), wanted.get(key)) for key in differing]
    if best is None:
        return "never made in this store"
    if not best:
        return "not made yet"
    # Settings explain more than fingerprints of inputs, which only say that an earlier stage differs.
    best.sort(key=lambda text: text.endswith(" differs"))
    return "; ".join(best[:3]) + (f" and {len(best) - 3} more" if len(best) > 3 else "")


def _change(key: str, had: Any, wanted: Any) -> str:
    if key.startswith("input "):
        return f"{key} differs"
    return f"{key}: {had} -> {wanted}"


def _flat(artifact: Part | Manifest) -> dict[str, Any]:
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
