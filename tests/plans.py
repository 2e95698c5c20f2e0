"""Plans of a small recipe, and stores that hold its artifacts with placeholder metrics."""

from pathlib import Path
from typing import Any

from tests.e2e.words import MADE
from tests.hollow import hollow
from tuner import forecast, loading, planning
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.store import Store
from tuner.registry import STAGES, planned

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 96, shard_rows: 24}
training:
  lora: {method: lora}
  prompt_tuning: {method: prompt_tuning}
"""


def make(store: Store, *overrides: str, stages: tuple[str, ...] = MADE, seconds: float = 60.0) -> None:
    """Makes a recipe's artifacts with placeholder metrics, each with this duration."""
    wanted = planned(loading.parse(RECIPE, overrides))
    for stage in stages:
        for spec in wanted.of(stage):
            make_one(store, spec, seconds)


def make_one(store: Store, spec: Spec, seconds: float = 60.0) -> None:
    scratch = Path(store.root).parent / "scratch" / spec.fingerprint[:12]
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "file").write_text("x")
    tokens = {"tokens": 1000, "seconds": seconds} if spec.stage in ("generate", "train") else {}
    metrics = hollow(STAGES[spec.stage].metrics, **tokens).model_dump(mode="json")
    store._commit(spec, spec.fingerprint[:12], scratch, metrics, {"seconds": seconds})


def data(store: Store, *overrides: str, until: str = "report") -> dict[str, Any]:
    recipe = loading.parse(RECIPE, overrides)
    return forecast.as_data(recipe, planning.plan(recipe, store, until), store)


def stages(store: Store, *overrides: str) -> dict[str, dict[str, Any]]:
    return {stage["stage"]: stage for stage in data(store, *overrides)["stages"]}
