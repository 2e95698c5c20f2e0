"""The flow `pipeline`: from a recipe to compared adapters, every stage a cached, retryable task."""

from collections.abc import Callable
from typing import Any, cast

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from tasks.curate import curate
from tasks.evaluate import evaluate
from tasks.generate import generate
from tasks.report import report
from tasks.split import split
from tasks.train import train
from tuner import forecast, loading, planning, progress
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError
from tuner.recipe import Recipe
from tuner.runs import Run
from tuner.settings import settings

TASKS: dict[str, Task[..., Any]] = {
    "generate": generate,
    "curate": curate,
    "split": split,
    "train": train,
    "evaluate": evaluate,
    "report": report,
}

REPAIRS = 3
"""How often a run computes damaged artifacts anew before it gives up on the store."""


def _run_name() -> str:
    """`quickstart: lora, prompt_tuning`."""
    given = flow_run.get_parameters()
    recipe = loading.named(given["recipe"], given["overrides"] or [])
    return f"{recipe.name}: {', '.join(recipe.training)}"


@flow(
    name="pipeline",
    flow_run_name=_run_name,
    task_runner=cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=settings().workers)),
    persist_result=False,
)
def pipeline(
    recipe: str = "quickstart",
    overrides: list[str] | None = None,
    name: str | None = None,
    until: str = "report",
    plan_only: bool = False,
) -> str:
    """Draws instruction data, curates and splits it, trains every adapter, compares them and writes the report.

    Args:
        recipe: The name of a shipped recipe (quickstart, fair, original), or a recipe's YAML text.
        overrides: Settings to change, such as `training.lora.learning_rate=3e-4`.
        name: What to call the run; by default its recipe's name and fingerprint.
        until: The last stage to run: generate, curate, split, train, evaluate or report.
        plan_only: Only post the plan: what is cached, what is missing and why, what it will cost.

    Returns:
        The run's name.
    """
    chosen = loading.named(recipe, overrides or [])
    store = Store(settings().store)
    plan = planning.plan(chosen, store, until)
    _post(chosen, plan, store)
    if plan_only:
        return ""
    run = Run.start(store, chosen, name, until)
    run.record["flow_run"] = str(flow_run.get_id())
    run.save()
    with run.recorded():
        for repair in range(REPAIRS + 1):
            try:
                _run(chosen, planning.plan(chosen, store, until), run)
                break
            except DamagedArtifactError as damaged:
                store.invalidate(damaged)
                run.record["repaired"] = [*run.record.get("repaired", []), str(damaged)]
                if repair == REPAIRS:
                    raise
    return run.name


def _run(recipe: Recipe, plan: planning.Plan, run: Run) -> None:
    run.record["artifacts"] = []
    plain = recipe.model_dump(mode="json")
    for stage, steps in plan.steps.items():
        futures = [(step, _submit(stage, step, plain)) for step in steps]
        for step, future in futures:
            state = "cached" if step.manifest else "done"
            _settle(future, lambda step=step, state=state: _announce(step, state))
            run.note(step.spec, "cached" if step.manifest else "made")
        run.save()


def _submit(stage: str, step: planning.Step, recipe: dict[str, Any]) -> PrefectFuture[Any]:
    # The store holds the truth: what it lacks is computed, whatever Prefect remembers.
    task = TASKS[stage].with_options(refresh_cache=step.manifest is None)
    return task.submit(step.spec.fingerprint, recipe, step.spec.label)


def _settle(future: PrefectFuture[Any], then: Callable[[], None]) -> None:
    future.result()
    then()


def _announce(step: planning.Step, state: str) -> None:
    progress.emit(progress.Event(step.spec.stage, step.spec.label, state=state, done=1, total=1))


def _post(recipe: Recipe, plan: planning.Plan, store: Store) -> None:
    data = forecast.as_data(recipe, plan, store)
    rows = [{key: stage[key] for key in ("stage", "status", "cached", "total", "reason")} for stage in data["stages"]]
    minutes = data["estimate"]["minutes"]
    cost = f"about {minutes} minutes" if minutes is not None else data["estimate"]["basis"]
    create_table_artifact(rows, key="plan", description=f"The plan of {data['run']}: {cost}")
