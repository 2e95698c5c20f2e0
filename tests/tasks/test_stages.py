"""A task returns a reference, in a state named `Cached` if the artifact was in the store."""

from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from tasks import stages
from tuner import loading
from tuner.artifacts.store import Store
from tuner.registry import planned
from tuner.settings import settings

RECIPE = (
    "name: small\nmodels: {generator: o/c, student: o/b}\ngeneration: {rows: 8}\ntraining: {lora: {method: lora}}\n"
)


def test_an_artifact_of_another_worker_is_cached() -> None:
    recipe = loading.parse(RECIPE)
    spec = planned(recipe).one("train", "lora")
    store = Store(settings().store)

    def write(folder: Path) -> dict[str, Any]:
        (folder / "curve").write_text("x")
        return {}

    store.build(spec, write)
    state = stages.make("train", spec.fingerprint, recipe.model_dump(mode="json"), "lora")
    assert isinstance(state, State) and isinstance(state.data, dict)
    assert (state.name, state.is_completed(), state.data["fingerprint"]) == ("Cached", True, spec.fingerprint)
