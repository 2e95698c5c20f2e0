"""The plan: the artifacts that a recipe needs, which of them exist, and why the others are missing.

All fingerprints follow from the recipe, so a plan only reads manifests.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError
from tuner.recipe import Recipe
from tuner.registry import NAMES, planned
from tuner.stage import Part, Parts

prepared: ContextVar["tuple[Recipe, Plan] | None"] = ContextVar("prepared", default=None)
"""The recipe and plan that the command line has already made for the flow that it starts in this process."""

INDEX_KEYS = ("shard", "part")
"""Keys of an identity that number a stage's artifacts; they are not settings, so not reasons for a missing artifact."""

INSTANCE_KEYS = (*INDEX_KEYS, "input rows")
"""Keys that distinguish artifacts of one stage and equal settings."""

SettingsGroup = dict[str, dict[str, Any]]
"""Flattened artifacts of equal settings, by the values of their `INSTANCE_KEYS`."""


@dataclass(frozen=True)
class Step:
    """One artifact of a plan.

    Attributes:
        spec: The planned artifact.
        manifest: Its manifest if it is complete and undamaged, else None.
        reason: Why it is missing; empty if it exists.
    """

    spec: Part
    manifest: Manifest | None
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """The steps of a recipe up to the requested stage, by stage."""

    steps: dict[str, list[Step]]

    def __iter__(self) -> Iterator[Step]:
        return (step for steps in self.steps.values() for step in steps)

    @property
    def complete(self) -> bool:
        """Whether every artifact exists."""
        return all(step.manifest for step in self)

    @property
    def missing(self) -> list[Step]:
        """The steps whose artifact is missing."""
        return [step for step in self if not step.manifest]


def plan(recipe: Recipe, store: Store, until: str = NAMES[-1], since: str = NAMES[0]) -> Plan:
    """Looks up every artifact of a recipe.

    Args:
        recipe: The recipe.
        store: The store.
        until: The last stage to plan, with all that its artifacts are made from. The default plans everything.
        since: The first stage that may compute; the artifacts of the stages before must exist.

    Raises:
        InputError: If `until` or `since` is not a stage, they are in the wrong order, an artifact before `since` is
            missing, or a model string is not valid.
    """
    for option, stage in (("--until", until), ("--from", since)):
        if stage not in NAMES:
            raise InputError(f"{option} {stage}: no such stage; one of {', '.join(NAMES)}")
    if NAMES.index(since) > NAMES.index(until):
        raise InputError(f"--from {since}: comes after --until {until}; the stages are {', '.join(NAMES)}")
    wanted = planned(recipe)
    # Without a search for near duplicates the stage `match` has no artifacts, and the stage before it is the last.
    last = next(stage for stage in reversed(NAMES[: NAMES.index(until) + 1]) if wanted.of(stage))
    found = plan_of(recipe, store, wanted if until == NAMES[-1] else wanted.of(last))
    for stage in NAMES[: NAMES.index(since)]:
        steps = found.steps.get(stage, [])
        if missing := [step for step in steps if not step.manifest]:
            raise InputError(
                f"--from {since}: {stage} is not complete in the store: {len(missing)} of {len(steps)} missing "
                f"({missing[0].reason}); start with --from {stage}"
            )
    return found


def plan_of(recipe: Recipe, store: Store, parts: Iterable[Part]) -> Plan:
    """Looks up some artifacts of a recipe, and everything that they are made from.

    Args:
        recipe: The recipe.
        store: The store.
        parts: Its planned artifacts.
    """
    wanted, needed = planned(recipe), Parts.upstream(parts)
    return Plan(
        {
            stage: _steps(stage, chosen, store)
            for stage in NAMES
            if (chosen := [part for part in wanted.of(stage) if part.fingerprint in needed])
        }
    )


def stage_steps(recipe: Recipe, store: Store, stage: str, labels: Sequence[str] = ()) -> list[Step]:
    """Looks up artifacts of one stage.

    Args:
        recipe: The recipe.
        store: The store.
        stage: The stage.
        labels: Labels of the artifacts; empty for all.

    Raises:
        InputError: If the stage has no artifact of a label, or a model string is not valid.
    """
    known = {spec.label: spec for spec in planned(recipe).of(stage)}
    for label in labels:
        if label not in known:
            labels = list(known) if len(known) < 6 else [*list(known)[:2], "...", list(known)[-1]]
            raise InputError(f"{stage}: the recipe has no {label}; it has {', '.join(labels)}")
    return _steps(stage, [known[label] for label in labels or known], store)


def _steps(stage: str, wanted: Sequence[Part], store: Store) -> list[Step]:
    artifacts = store.look_up(stage, [spec.fingerprint for spec in wanted])
    # Manifests are read once, and only if an artifact is missing.
    groups = cache(lambda: _group_by_settings(store.manifests(stage)))
    return [_step(spec, artifacts.get(spec.fingerprint), groups) for spec in wanted]


def _step(
    spec: Part, artifact: Manifest | DamagedArtifactError | None, groups: Callable[[], list[SettingsGroup]]
) -> Step:
    if isinstance(artifact, DamagedArtifactError):
        return Step(spec, None, f"damaged: {artifact.problem}")
    return Step(spec, artifact) if artifact else Step(spec, None, _reason(spec, groups()))


def _group_by_settings(manifests: Iterable[Manifest]) -> list[SettingsGroup]:
    """Groups the artifacts of a stage by their settings.

    A missing shard is then compared with one artifact of each group, not with thousands of shards.
    """
    groups: dict[str, SettingsGroup] = {}
    for manifest in manifests:
        flat = _flat(manifest)
        settings = sorted((key, value) for key, value in flat.items() if key not in INSTANCE_KEYS)
        groups.setdefault(repr(settings), {})[_instance(flat)] = flat
    return list(groups.values())


def _instance(flat: Mapping[str, Any]) -> str:
    return repr([flat.get(key) for key in INSTANCE_KEYS])


def _reason(spec: Part, groups: Iterable[SettingsGroup]) -> str:
    """The settings that differ from the existing artifact with the fewest differences."""
    wanted = _flat(spec)
    best: list[str] | None = None
    for group in groups:
        existing = group.get(_instance(wanted)) or next(iter(group.values()))
        keys = sorted({*wanted, *existing} - {*INDEX_KEYS})
        differing = [key for key in keys if wanted.get(key) != existing.get(key)]
        if best is None or len(differing) < len(best):
            best = [_change(key, existing.get(key), wanted.get(key)) for key in differing]
    if best is None:
        return "never made in this store"
    if not best:
        return "not made yet"
    # Settings come first: a differing input only says that an earlier stage differs.
    best.sort(key=lambda text: text.endswith(" differs"))
    return "; ".join(best[:3]) + (f" and {len(best) - 3} more" if len(best) > 3 else "")


def _change(key: str, existing: Any, wanted: Any) -> str:
    if key.startswith("input "):
        return f"{key} differs"
    return f"{key}: {existing} -> {wanted}"


def _flat(artifact: Part | Manifest) -> dict[str, Any]:
    flat: dict[str, Any] = {"stage version": artifact.version}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in cast(Mapping[str, Any], value).items():
                walk(f"{prefix}.{key}" if prefix else key, item)
        else:
            flat[prefix] = list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value

    walk("", artifact.identity)
    for role, fingerprints in artifact.inputs.items():
        flat[f"input {role}"] = fingerprints
    return flat
