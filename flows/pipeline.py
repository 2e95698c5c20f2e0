"""The flow `pipeline`: from a recipe to compared adapters, every stage a cached, retryable task."""

from collections import Counter
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import form, placement, scheduling, single
from flows.form import Epochs, Quality, RecipeName, Rows, Seed, StageName
from flows.naming import named
from flows.refusing import refusing
from flows.stopping import stoppable
from tuner import forecast, planning, progress
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError
from tuner.recipe import Recipe
from tuner.registry import FIRST, LAST
from tuner.runs import Run
from tuner.settings import settings

REPAIRS = 3
"""How often a run computes damaged artifacts anew before it gives up on the store."""


@flow(
    name="pipeline",
    flow_run_name=named(lambda recipe, given: "plan" if given["plan_only"] else form.adapters(recipe)),
    task_runner=placement.runner(),
    persist_result=False,
)
@refusing
def pipeline(
    recipe: RecipeName = "quickstart",
    recipe_yaml: str = "",
    rows: Rows = None,
    seed: Seed = None,
    epochs: Epochs = None,
    quality: Quality = None,
    overrides: tuple[str, ...] = (),
    name: str = "",
    from_stage: StageName = FIRST,
    until_stage: StageName = LAST,
    plan_only: bool = False,
) -> str:
    """Draws instruction data, curates and splits it, trains every adapter, compares them and writes the report.

    Args:
        recipe: A shipped recipe.
        recipe_yaml: The YAML text of a recipe of your own; it goes before the shipped one.
        rows: Rows to draw, 1 and more; empty as the recipe says. More rows add shards and reuse those there are.
        seed: Every random number descends from it; empty as the recipe says.
        epochs: Passes over the training rows, for every adapter; empty as the recipe says.
        quality: The least quality score of a row, 0 to 1; empty as the recipe says.
        overrides: Other settings, one `a.b=value` each, such as `training.lora.learning_rate=3e-4`.
        name: What to call the run; empty for the recipe's name and fingerprint.
        from_stage: The first stage that may compute anything; what comes before has to be there.
        until_stage: The last stage.
        plan_only: Only post the plan: what is cached, what is missing and why, what it will cost.

    Returns:
        The run's name, in a state whose message is the verdict.
    """
    store = Store(settings().store)
    if handed := planning.handed.get():
        chosen, plan = handed
    else:
        chosen = form.chosen(recipe, recipe_yaml, overrides, rows=rows, seed=seed, epochs=epochs, quality=quality)
        plan = planning.plan(chosen, store, until_stage, from_stage)
    _post(chosen, plan, store)
    if plan_only:
        return ""
    run = Run.start(store, chosen, name, until_stage)
    run.record["flow_run"] = str(flow_run.get_id())
    run.save()
    with run.recorded(), stoppable(run):
        for repair in range(REPAIRS + 1):
            try:
                _run(chosen, plan, run)
                break
            except DamagedArtifactError as damaged:
                store.invalidate(damaged)
                plan = planning.plan(chosen, store, until_stage)
                run.record["repaired"] = [*run.record.get("repaired", []), str(damaged)]
                if repair == REPAIRS:
                    raise
    ended: Any = Completed(message=single.show(chosen, store, until_stage), data=run.name)
    return ended


def _run(recipe: Recipe, plan: planning.Plan, run: Run) -> None:
    plain = recipe.model_dump(mode="json")
    groups = [group for stage, steps in plan.steps.items() for group in placement.groups(stage, steps, plain)]
    left = Counter(group.steps[0].spec.stage for group in groups)
    run.record["artifacts"] = []

    def done(group: scheduling.Group) -> None:
        for step in group.steps:
            state = "cached" if step.manifest else "done"
            progress.emit(progress.Event(step.spec.stage, step.spec.label, state=state, done=1, total=1))
            run.note(step.spec, "cached" if step.manifest else "made")
        stage = group.steps[0].spec.stage
        left[stage] -= 1
        if not left[stage]:
            run.save()

    try:
        scheduling.run(groups, placement.lanes(), done)
    finally:
        order = {step.spec.fingerprint: number for number, step in enumerate(plan)}
        run.record["artifacts"].sort(key=lambda artifact: order[artifact["fingerprint"]])


def _post(recipe: Recipe, plan: planning.Plan, store: Store) -> None:
    data = forecast.as_data(recipe, plan, store)
    estimate = data["estimate"]
    rows = [
        {
            "stage": stage["stage"],
            "cached": stage["cached"],
            "missing": stage["total"] - stage["cached"],
            "why": stage["reason"],
            "minutes": _about(estimate["stages"].get(stage["stage"], {"minutes": 0})["minutes"]),
        }
        for stage in data["stages"]
    ]
    whole = estimate["minutes"]
    cost = f"about {whole} minutes" if whole is not None else estimate["basis"]
    create_table_artifact(rows, key="plan", description=f"The plan of {data['run']}: {cost}")


def _about(minutes: float | None) -> float | str:
    return "not known yet" if minutes is None else minutes
