"""What is filled in wrongly at a deployment is refused at once, with the line that the command line gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import Tuner, artifacts_of, manifests
from tests.rest import RefusedError, states

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"quality": 1.5}, {"recipe": "quick"}, {"from_stage": "trian"}, {"overrides": "seed=1"}]
)
def test_what_is_out_of_bounds_is_refused_by_the_form(cluster: Cluster, wrong: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        cluster.trigger("pipeline", **wrong)
    assert 400 <= refused.value.status < 500
    assert next(iter(wrong)) in json.loads(refused.value.said)["detail"]


def test_what_the_command_line_refuses_is_refused_in_its_words(
    cluster: Cluster, recipe: Path, tuner: Tuner, tmp_path: Path
) -> None:
    text = recipe.read_text()
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [")
    key = "training.lora.lerning_rate=1"
    wrong: list[tuple[list[str], dict[str, Any]]] = [
        ([str(recipe), "--set", key], {"recipe_yaml": text, "overrides": [key]}),
        ([str(broken)], {"recipe_yaml": broken.read_text()}),
        (
            [str(recipe), "--set", "seed=51", "--from", "train"],
            {"recipe_yaml": text, "overrides": ["seed=51"], "from_stage": "train"},
        ),
    ]
    before = manifests(cluster.store)
    triggered = [cluster.trigger("pipeline", **parameters) for _, parameters in wrong]
    for (arguments, _), identifier in zip(wrong, triggered, strict=True):
        run = cluster.wait(identifier)
        said = tuner("run", *arguments, TUNER_STORE=str(cluster.store)).stderr.strip().removeprefix("tuner: ")
        assert run["state_type"] == "FAILED"
        assert said.replace(arguments[0], "recipe_yaml") in run["state"]["message"]
        assert states(cluster.url, identifier) == {}, "nothing was computed"
    assert manifests(cluster.store) == before


def test_a_pipeline_begins_and_ends_where_it_is_told_to(cluster: Cluster, recipe: Path) -> None:
    parameters = {"recipe_yaml": recipe.read_text(), "overrides": ["name=partly", "seed=52"]}
    first = cluster.wait(cluster.trigger("pipeline", **parameters, until_stage="examine"))
    assert first["state_type"] == "COMPLETED", first["state"]["message"]
    assert {stage for stage, _ in artifacts_of(cluster.store, "partly")} == {"generate", "examine"}

    second = cluster.wait(cluster.trigger("pipeline", **parameters, from_stage="match", until_stage="split"))
    assert second["state_type"] == "COMPLETED", second["state"]["message"]
    shown = states(cluster.url, second["id"])
    assert {state for name, state in shown.items() if name.split()[0] in ("generate", "examine")} == {"Cached"}
    made = {stage for stage, _ in artifacts_of(cluster.store, "partly")}
    assert made == {"generate", "examine", "match", "curate", "split"}
