"""A plan as data and as a table, with an estimate of its cost from comparable steps of the past."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tuner import target
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.metrics import Computed
from tuner.planning import Plan, Step
from tuner.recipe import Recipe
from tuner.registry import STAGES, run_name
from tuner.settings import settings

MAX_REASONS = 3
"""Reasons shown for a stage whose artifacts have different ones."""

MAX_GROUPS = 8
"""Groups of a stage's artifacts that the table shows; the JSON lists every artifact."""

MATCHING_SETTINGS = (
    *("generator", "student", "method", "judge", "reward", "tags"),
    *("temperatures", "n", "rules", "candidates"),
    *("until", "chosen"),
)
"""Settings that must be equal for the cost of a past step to be comparable."""

SIZE_SETTINGS = ("shard_size", "epochs")
"""Settings that a step's cost is proportional to."""


def as_data(recipe: Recipe, plan: Plan, store: Store) -> dict[str, Any]:
    """The plan as plain data, as `tuner plan --json` prints it."""
    return {
        "run": run_name(recipe),
        "store": store.url,
        "stages": [_stage_data(stage, steps) for stage, steps in plan.steps.items()],
        "estimate": estimate(plan, store),
        "target": asdict(expected) if (expected := target.expected(recipe, store)) else None,
    }


def _stage_data(stage: str, steps: list[Step]) -> dict[str, Any]:
    cached = sum(step.manifest is not None for step in steps)
    reasons = [(step.spec.label, step.reason) for step in steps if step.reason]
    distinct = list(dict.fromkeys(reason for _, reason in reasons))
    first = "; ".join(f"{label}: {reason}" for label, reason in reasons[:MAX_REASONS])
    more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
    return {
        "stage": stage,
        "status": "cached" if cached == len(steps) else "partial" if cached else "missing",
        "total": len(steps),
        "cached": cached,
        "fingerprints": [step.spec.fingerprint for step in steps],
        "same_bytes": steps[0].spec.same_bytes,
        "reason": distinct[0] if len(distinct) == 1 else first + more,
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


def same_bytes(data: Mapping[str, Any]) -> str:
    """A sentence on where the artifacts of which stages have the same bytes.

    Args:
        data: The plan, as `as_data` returns it.
    """
    stages: dict[str, list[str]] = {}
    for stage in data["stages"]:
        stages.setdefault(stage["same_bytes"], []).append(stage["stage"])
    return "Same bytes " + "; ".join(f"{where}: {', '.join(names)}" for where, names in stages.items()) + "."


def rows(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The plan as a table of stage, status and reason; artifacts of equal status and reason share a row.

    Args:
        data: The plan, as `as_data` returns it.
    """
    table = []
    for stage in data["stages"]:
        labels_of: dict[tuple[str, str], list[str]] = {}
        for artifact in stage["artifacts"]:
            labels_of.setdefault((artifact["status"], artifact["reason"]), []).append(artifact["label"])
        status = f"{stage['cached']:,} of {stage['total']:,}" if stage["total"] > 1 else stage["status"]
        table.append((stage["stage"], status, stage["reason"] if len(labels_of) == 1 else ""))
        if len(labels_of) > 1:
            groups = sorted(labels_of.items(), key=lambda group: group[0][0] != "cached")
            shown, more = groups[:MAX_GROUPS], groups[MAX_GROUPS:]
            table += [(f"  {_joined(labels)}", status, reason) for (status, reason), labels in shown]
            if more:
                labels = [label for _, group in more for label in group]
                table.append((f"  {_joined(labels)}", "missing", f"{len(more):,} more reasons; --json lists them all"))
    return table


def _joined(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) < 4 else f"{labels[0]} to {labels[-1]} ({len(labels):,})"


def estimate(plan: Plan, store: Store) -> dict[str, Any]:
    """The cost of the missing steps, estimated from comparable steps of the past in this store.

    Returns:
        `minutes` and `tokens` of all missing steps, None if a stage has no comparable past step; their `cost` by the
        prices of the settings, None also without prices; their `basis` in words; and under `stages` the same figures
        for each stage.
    """
    stages: dict[str, Any] = {}
    for stage, steps in plan.steps.items():
        missing = [step.spec for step in steps if not step.manifest]
        if missing:
            stages[stage] = _stage_estimate(missing, list(store.manifests(stage)))
    known = [item for item in stages.values() if item["minutes"] is not None]
    is_complete = len(known) == len(stages)
    unknown = [stage for stage, item in stages.items() if item["minutes"] is None]
    return {
        "minutes": round(sum(item["minutes"] for item in known), 2) if is_complete else None,
        "tokens": sum(item["tokens"] or 0 for item in known) if is_complete else None,
        "cost": _cost(stages) if is_complete else None,
        "basis": "past manifests in this store"
        if is_complete
        else f"no comparable past step for: {', '.join(unknown)}",
        "stages": stages,
    }


def _cost(stages: Mapping[str, Mapping[str, float]]) -> float | None:
    """Money for the hours of all stages, and for the tokens that are drawn."""
    hour, million = settings().price_hour, settings().price_million_tokens
    if not hour and not million:
        return None
    drawn = sum(stages.get(stage, {}).get("tokens") or 0 for stage in ("generate", "candidates"))
    return round(sum(item["minutes"] for item in stages.values()) / 60 * hour + drawn / 1e6 * million, 2)


def _stage_estimate(missing: Sequence[Spec], past: list[Manifest]) -> dict[str, Any]:
    # One estimate for each combination of settings: thousands of shards share one or two.
    specs = {_cost_key(spec): spec for spec in missing}
    estimates = {key: _step_estimate(spec, past) for key, spec in specs.items()}
    costs = [cost for spec in missing if (cost := estimates[_cost_key(spec)])]
    if len(costs) < len(missing):
        return {"minutes": None, "tokens": None}
    seconds, tokens = (sum(column) for column in zip(*costs, strict=True))
    return {"minutes": round(seconds / 60, 2), "tokens": round(tokens)}


def _cost_key(spec: Spec) -> str:
    """The settings that an estimate depends on."""
    return repr([spec.identity.get(key) for key in (*MATCHING_SETTINGS, *SIZE_SETTINGS)])


def _step_estimate(spec: Spec, past: list[Manifest]) -> tuple[float, float] | None:
    """Seconds and tokens of a step; None if no past step is comparable."""
    comparable = [manifest for manifest in past if _comparable(spec, manifest)]
    if not comparable:
        return None
    scale = statistics.median(_scale(spec, manifest) for manifest in comparable)
    metrics = STAGES[spec.stage].metrics
    seconds = statistics.median(_seconds(manifest) for manifest in comparable)
    tokens = (
        statistics.median(metrics.read(manifest).tokens for manifest in comparable)
        if issubclass(metrics, Computed)
        else 0
    )
    return scale * seconds, scale * tokens


def _seconds(manifest: Manifest) -> float:
    """How long a step took; of one that was made at once with others, its part of their time."""
    stage = STAGES[manifest.stage]
    if stage.at_once > 1 and issubclass(stage.metrics, Computed):
        return stage.metrics.read(manifest).seconds
    return float(manifest.provenance["seconds"])


def _comparable(spec: Spec, manifest: Manifest) -> bool:
    """Whether a past artifact has the same stage version, models and method."""
    return spec.version == manifest.version and all(
        spec.identity.get(key) == manifest.identity.get(key) for key in MATCHING_SETTINGS
    )


def _scale(spec: Spec, manifest: Manifest) -> float:
    """The size of a step relative to a past one, by the rows of a shard or the epochs of a training."""
    for key in SIZE_SETTINGS:
        if key in spec.identity and key in manifest.identity:
            return float(spec.identity[key]) / float(manifest.identity[key])
    return 1.0
