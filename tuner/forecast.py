"""What a plan says: as data, and what its missing steps will cost, judged by what like steps cost before."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.metrics import Computed
from tuner.planning import Plan, Step
from tuner.recipe import Recipe
from tuner.registry import STAGES, run_name

SHOWN = 3
"""Reasons of a stage that are shown where they differ; each artifact has its own."""

LINES = 8
"""Rows of a stage's artifacts that a table shows at most; the JSON tells of each artifact."""

ALIKE = ("generator", "student", "method")
"""Settings in which a past step has to agree for its cost to say something."""

SIZES = ("shard_size", "epochs")
"""Settings that a step's cost grows with."""


def as_data(recipe: Recipe, plan: Plan, store: Store) -> dict[str, Any]:
    """The plan as plain data, as `tuner plan --json` prints it."""
    return {
        "run": run_name(recipe),
        "store": store.url,
        "stages": [_stage_data(stage, steps) for stage, steps in plan.steps.items()],
        "estimate": estimate(plan, store),
    }


def _stage_data(stage: str, steps: list[Step]) -> dict[str, Any]:
    cached = sum(step.manifest is not None for step in steps)
    reasons = [(step.spec.label, step.reason) for step in steps if step.reason]
    distinct = list(dict.fromkeys(reason for _, reason in reasons))
    each = "; ".join(f"{label}: {why}" for label, why in reasons[:SHOWN])
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return {
        "stage": stage,
        "status": "cached" if cached == len(steps) else "partial" if cached else "missing",
        "total": len(steps),
        "cached": cached,
        "fingerprints": [step.spec.fingerprint for step in steps],
        "reason": distinct[0] if len(distinct) == 1 else each + more,
        "artifacts": [
            {
                "label": step.spec.label,
                "fingerprint": step.spec.fingerprint,
                "status": "cached" if step.manifest else "missing",
                "reason": step.reason,
            }
            for step in steps
        ],
    }


def rows(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The plan as a table: of each stage how much is there, and why the rest is not; artifacts alike share a row.

    Args:
        data: As of `as_data`.
    """
    found = []
    for stage in data["stages"]:
        alike: dict[tuple[str, str], list[str]] = {}
        for artifact in stage["artifacts"]:
            alike.setdefault((artifact["status"], artifact["reason"]), []).append(artifact["label"])
        there = f"{stage['cached']:,} of {stage['total']:,}" if stage["total"] > 1 else stage["status"]
        found.append((stage["stage"], there, stage["reason"] if len(alike) == 1 else ""))
        if len(alike) > 1:
            groups = sorted(alike.items(), key=lambda group: group[0][0] != "cached")
            shown, more = groups[:LINES], groups[LINES:]
            found += [(f"  {_together(labels)}", status, reason) for (status, reason), labels in shown]
            if more:
                labels = [label for _, each in more for label in each]
                found.append((f"  {_together(labels)}", "missing", f"{len(more):,} more reasons; --json tells each"))
    return found


def _together(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) < 4 else f"{labels[0]} to {labels[-1]} ({len(labels):,})"


def estimate(plan: Plan, store: Store) -> dict[str, Any]:
    """What the missing steps will cost, judged by what like steps cost before in this store.

    Returns:
        `minutes` and `tokens` of all missing steps, None where nothing comparable was ever run, with the `basis` in
        words; and the same for each stage.
    """
    stages: dict[str, Any] = {}
    for stage, steps in plan.steps.items():
        missing = [step.spec for step in steps if not step.manifest]
        if missing:
            stages[stage] = _stage_estimate(missing, list(store.manifests(stage)))
    known = [item for item in stages.values() if item["minutes"] is not None]
    whole = len(known) == len(stages)
    unknown = [stage for stage, item in stages.items() if item["minutes"] is None]
    return {
        "minutes": round(sum(item["minutes"] for item in known), 2) if whole else None,
        "tokens": sum(item["tokens"] or 0 for item in known) if whole else None,
        "basis": "past manifests in this store" if whole else f"nothing comparable was run for: {', '.join(unknown)}",
        "stages": stages,
    }


def _stage_estimate(missing: Sequence[Spec], past: list[Manifest]) -> dict[str, Any]:
    # Thousands of shards are of one or two kinds.
    kinds = {_kind(spec): spec for spec in missing}
    costs = {kind: _step_estimate(spec, past) for kind, spec in kinds.items()}
    found = [cost for spec in missing if (cost := costs[_kind(spec)])]
    if len(found) < len(missing):
        return {"minutes": None, "tokens": None}
    seconds, tokens = (sum(each) for each in zip(*found, strict=True))
    return {"minutes": round(seconds / 60, 2), "tokens": round(tokens)}


def _kind(spec: Spec) -> str:
    """What an estimate depends on."""
    return repr([spec.identity.get(key) for key in (*ALIKE, *SIZES)])


def _step_estimate(spec: Spec, past: list[Manifest]) -> tuple[float, float] | None:
    """Seconds and tokens; None where nothing comparable was run."""
    alike = [manifest for manifest in past if _comparable(spec, manifest)]
    if not alike:
        return None
    scale = statistics.median(_scale(spec, manifest) for manifest in alike)
    seconds = statistics.median(float(manifest.provenance["seconds"]) for manifest in alike)
    kind = STAGES[spec.stage].metrics
    tokens = statistics.median(kind.read(manifest).tokens for manifest in alike) if issubclass(kind, Computed) else 0
    return scale * seconds, scale * tokens


def _comparable(spec: Spec, manifest: Manifest) -> bool:
    """Whether the same models did the same kind of work, by the same code."""
    return spec.version == manifest.version and all(
        spec.identity.get(key) == manifest.identity.get(key) for key in ALIKE
    )


def _scale(spec: Spec, manifest: Manifest) -> float:
    """How much more work the step is than a past one, by rows of a shard or epochs of a training."""
    for key in SIZES:
        if key in spec.identity and key in manifest.identity:
            return float(spec.identity[key]) / float(manifest.identity[key])
    return 1.0
