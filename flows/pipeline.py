"""The flow `pipeline`: from a recipe to compared adapters, with every artifact made by a cached, retried task."""

from collections import Counter
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed

from flows import form, placement, scheduling, single
from flows.form import Epochs, Quality, RecipeName, Rows, Seed, StageName
from flows.input_errors import fail_on_input_error
from flows.naming import flow_run_namer
from flows.stopping import stoppable
from tuner import forecast, planning, progress, races, suitability, target
from tuner.artifacts.store import Store
from tuner.doctor import first_shard
from tuner.errors import DamagedArtifactError, StageError
from tuner.recipe import Recipe
from tuner.registry import FIRST, LAST
from tuner.runs import Run, continued
from tuner.settings import settings
from tuner.training.sweeps.stages import STEER, TRIAL

REPAIRS = 3
"""How many times a run recomputes damaged artifacts before it fails."""


@flow(
    name="pipeline",
    flow_run_name=flow_run_namer(
        lambda recipe, parameters: "plan" if parameters["plan_only"] else form.adapter_summary(recipe)
    ),
    task_runner=placement.task_runner(),
    persist_result=False,
)
@fail_on_input_error
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
        recipe_yaml: The YAML text of your own recipe; overrides the shipped one.
        rows: Rows to draw, at least 1; empty: the recipe's value. More rows add shards; existing shards are reused.
        seed: Determines every random number; empty: the recipe's value.
        epochs: Passes over the training rows, for every adapter; empty: the recipe's value.
        quality: The minimum quality score of a row, 0 to 1; empty: the recipe's value.
        overrides: Other settings, one `a.b=value` each, such as `training.lora.learning_rate=3e-4`.
        name: The run's name; empty: the recipe's name and fingerprint.
        from_stage: The first stage that may compute anything; the artifacts of earlier stages must exist.
        until_stage: The last stage to run.
        plan_only: Only post the plan: what is cached, what is missing and why, and the expected cost.

    Returns:
        The run's name, in a state whose message is the verdict.
    """
    store = Store(settings().store)
    if prepared := planning.prepared.get():
        resolved, plan = prepared
    else:
        resolved = form.recipe_from_form(
            recipe, recipe_yaml, overrides, rows=rows, seed=seed, epochs=epochs, quality=quality
        )
        resolved = continued(store, resolved, name)
        plan = planning.plan(resolved, store, until_stage, from_stage)
        suitability.check(resolved, plan)
        if not plan_only:
            suitability.reach(plan)
    _post(resolved, plan, store)
    if plan_only:
        return ""
    run = Run.start(store, resolved, name, until_stage)
    run.record["flow_run"] = str(flow_run.get_id())
    run.save()
    with run.recorded(), stoppable(run):
        asked = resolved
        if resolved.generation.kept and target.reaches(until_stage):
            resolved = _drawn(resolved, run)
        resolved = _swept(resolved, run, until_stage)
        if resolved is not asked:
            plan = planning.plan(resolved, store, until_stage)
        _repaired(resolved, plan, run)
    state: Any = Completed(message=single.show(resolved, store, until_stage), data=run.name)
    return state


def _drawn(recipe: Recipe, run: Run) -> Recipe:
    """Draws and curates until the recipe's target or a limit is reached; returns it with the shards that it took."""
    while True:
        _repaired(recipe, planning.plan(recipe, run.store, target.STAGE), run)
        progressed = target.progress(recipe, run.store, run.record["since"])
        progress.emit(progress.Event(target.STAGE, note=progressed.line))
        run.record["target"] = progressed.line
        if progressed.next is None:
            return recipe
        recipe = progressed.next
        run.decide(recipe)


def _swept(recipe: Recipe, run: Run, until: str) -> Recipe:
    """Trains the trials of all sweeps, look after look; returns the recipe with what was decided."""
    if not any(adapter.sweep for adapter in recipe.training.values()):
        return recipe
    until = STEER.name if until == TRIAL.name else until
    while due := races.due(recipe, (step.spec for step in planning.plan(recipe, run.store, until))):
        _repaired(recipe, planning.plan_of(recipe, run.store, due), run)
        recipe = races.known(recipe, run.store)
        run.decide(recipe)
    return recipe


def _repaired(recipe: Recipe, plan: planning.Plan, run: Run) -> None:
    """Runs a plan; artifacts that turn out to be damaged are made again."""
    for repair in range(REPAIRS + 1):
        try:
            _run(recipe, plan, run)
            break
        except DamagedArtifactError as damaged:
            run.store.invalidate(damaged)
            plan = planning.plan_of(recipe, run.store, [step.spec for step in plan])
            run.record["repaired"] = [*run.record.get("repaired", []), str(damaged)]
            if repair == REPAIRS:
                raise


def _run(recipe: Recipe, plan: planning.Plan, run: Run) -> None:
    plain = recipe.model_dump(mode="json")
    groups = [group for stage, steps in plan.steps.items() for group in placement.groups(stage, steps, plain)]
    pending = Counter(group.steps[0].spec.stage for group in groups)
    run.record["artifacts"] = []

    def done(group: scheduling.Group) -> None:
        for step in group.steps:
            state = "cached" if step.manifest else "done"
            progress.emit(progress.Event(step.spec.stage, step.spec.label, state=state, done=1, total=1))
            run.note(step.spec, "cached" if step.manifest else "made")
        stage = group.steps[0].spec.stage
        pending[stage] -= 1
        if not pending[stage]:
            run.save()

    try:
        scheduling.run(groups, placement.lanes(), done)
    except StageError:
        first_shard.check(recipe, Store(settings().store))  # a worker's error comes back as a text alone
        raise
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
            "minutes": _minutes(estimate["stages"].get(stage["stage"], {"minutes": 0})["minutes"]),
        }
        for stage in data["stages"]
    ]
    total = estimate["minutes"]
    cost = f"about {total} minutes" if total is not None else estimate["basis"]
    create_table_artifact(rows, key="plan", description=f"The plan of {data['run']}: {cost}")


def _minutes(minutes: float | None) -> float | str:
    return "not known yet" if minutes is None else minutes
