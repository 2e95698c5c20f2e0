"""A flow for each stage, which makes artifacts of that stage alone, for a user or as part of a larger pipeline."""

from typing import Any

from prefect import flow
from prefect.flows import Flow

from flows import single
from flows.form import RecipeName, recipe_from_form
from flows.input_errors import fail_on_input_error
from flows.naming import flow_run_namer
from flows.placement import task_runner
from tuner.registry import STAGES
from tuner.stage import Stage, label_range


def _flow(stage: Stage) -> Flow[..., Any]:
    @flow(
        name=stage.flow,
        description=stage.does,
        flow_run_name=flow_run_namer(
            lambda recipe, parameters: f"{stage.name} {label_range(parameters['parts'])}".strip()
        ),
        task_runner=task_runner(),
        persist_result=False,
    )
    @fail_on_input_error
    def run(
        recipe: RecipeName = "quickstart",
        recipe_yaml: str = "",
        overrides: tuple[str, ...] = (),
        parts: tuple[str, ...] = (),
    ) -> list[str]:
        """Makes the missing artifacts of one stage; the artifacts that they are made from must exist.

        Args:
            recipe: A shipped recipe.
            recipe_yaml: The YAML text of your own recipe; overrides the shipped one.
            overrides: Settings to change, such as `generation.rows=192`.
            parts: The artifacts to make, by their labels in the plan, such as `shard 3` or `lora`; by default all.

        Returns:
            The fingerprints of the artifacts.
        """
        return single.run(stage.name, recipe_from_form(recipe, recipe_yaml, overrides), parts)

    return run


FLOWS: dict[str, Flow[..., Any]] = {name: _flow(stage) for name, stage in STAGES.items()}
"""The flow of each stage, by the stage's name."""


def __getattr__(name: str) -> Flow[..., Any]:
    """The flow of a stage as a module attribute, for entrypoints such as `flows.stages.generate`."""
    try:
        return FLOWS[name]
    except KeyError:
        raise AttributeError(name) from None
