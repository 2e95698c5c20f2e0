"""A flow for each stage: it computes artifacts of that stage alone, for whoever asks, a person or a larger pipeline."""

from typing import Any

from prefect import flow
from prefect.flows import Flow

from flows import single
from flows.form import RecipeName, chosen
from flows.naming import named
from flows.placement import runner
from flows.refusing import refusing
from tuner.registry import STAGES
from tuner.stage import Stage, spanned


def _flow(stage: Stage) -> Flow[..., Any]:
    @flow(
        name=stage.flow,
        description=stage.does,
        flow_run_name=named(lambda recipe, given: f"{stage.name} {spanned(given['parts'])}".strip()),
        task_runner=runner(),
        persist_result=False,
    )
    @refusing
    def run(
        recipe: RecipeName = "quickstart",
        recipe_yaml: str = "",
        overrides: tuple[str, ...] = (),
        parts: tuple[str, ...] = (),
    ) -> list[str]:
        """Computes artifacts of one stage, those that are missing; what they are made from has to be there.

        Args:
            recipe: A shipped recipe.
            recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
            overrides: Settings to change, such as `generation.rows=192`.
            parts: Which, as the plan calls them, such as `shard 3` or `lora`; by default all.

        Returns:
            Their fingerprints.
        """
        return single.run(stage.name, chosen(recipe, recipe_yaml, overrides), parts)

    return run


FLOWS: dict[str, Flow[..., Any]] = {name: _flow(stage) for name, stage in STAGES.items()}
"""By the name of the stage."""


def __getattr__(name: str) -> Flow[..., Any]:
    """A stage's flow by the stage's name, which is how an entrypoint names it: `flows.stages.generate`."""
    try:
        return FLOWS[name]
    except KeyError:
        raise AttributeError(name) from None
