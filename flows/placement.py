"""Where the steps of a stage are computed: here, on workers of the pools, or on a Ray cluster. `TUNER_PLACEMENT` says.

A stage of very many shards is computed by child flows in any case: the server and its UI bear about 500 tasks in a
flow run well.
"""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from prefect import tags
from prefect.context import TagsContext
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from tasks.compare import compare
from tasks.curate import curate
from tasks.evaluate import evaluate
from tasks.examine import examine
from tasks.generate import generate
from tasks.match import match
from tasks.report import report
from tasks.send import send
from tasks.slots import ON_GPU
from tasks.split import split
from tasks.train import train
from tuner import loading
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.planning import Step
from tuner.recipe import Recipe
from tuner.settings import settings

TASKS: dict[str, Task[..., Any]] = {
    "generate": generate,
    "examine": examine,
    "match": match,
    "curate": curate,
    "split": split,
    "train": train,
    "evaluate": evaluate,
    "report": report,
}

DEPLOYMENTS = {"generate": "generate", "train": "tune", "evaluate": "evaluate"}
"""What computes the steps of a stage on a worker; the other stages are light."""

TAG = "tuner"
"""Of every flow run of this project: by it the server's automations know whose run is silent."""

GROUP_SHARDS = 8
"""Shards that one worker gets at once: enough that loading the model weighs little, few enough to share out."""

DIVIDED = ("generate", "examine")
"""The stages that have a task for every shard."""

MOST_TASKS = 500
CHILD_TASKS = 250
WAITING = 32
"""Threads that wait for workers, each for one adapter or group of shards."""


@dataclass(frozen=True)
class Begun:
    """Steps that are being computed.

    Attributes:
        steps: The steps.
        finish: Waits until they are there; raises what made them fail.
    """

    steps: Sequence[Step]
    finish: Callable[[], Any]


def runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of every flow.

    Raises:
        InputError: If Ray is asked for and not installed.
    """
    placement = settings().placement
    if placement != "ray":
        workers = settings().workers if placement == "local" else WAITING
        return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=workers))
    try:
        ray = import_module("prefect_ray")
    except ModuleNotFoundError:
        raise InputError(
            "TUNER_PLACEMENT=ray: prefect-ray is not installed; pip install 'synthetic-instruction-tuner[ray]'"
        ) from None
    return ray.RayTaskRunner(
        address=os.environ.get("RAY_ADDRESS"),
        init_kwargs={"runtime_env": {"env_vars": _passed()}, "log_to_driver": False, "logging_level": logging.WARNING},
    )


def _passed() -> dict[str, str]:
    """What Ray's workers have to know. Secrets are not passed: they stand in the environment of `ray start`."""
    passed = {key: value for key, value in os.environ.items() if key.startswith("TUNER_") and key != "TUNER_HOME"}
    return {
        **passed,
        # A worker that does not know the server would start one of its own.
        "PREFECT_API_URL": os.environ.get("PREFECT_API_URL", ""),
        "TUNER_STORE": Store(settings().store).url,  # it works in another folder
        # Ray would set one thread, and sums in another order are not the same bits.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
    }


def begin(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Begun]:
    """Begins the steps of a stage.

    Args:
        stage: The stage.
        steps: What of it is wanted, there or missing.
        recipe: The recipe as plain data.
    """
    sent: list[Begun] = []
    if settings().placement == "pools" and stage in DEPLOYMENTS:
        size = GROUP_SHARDS if stage == "generate" else 1
        missing = [step for step in steps if step.manifest is None]
        sent = [_sent(stage, group, recipe) for group in _groups(missing, size)]
        steps = [step for step in steps if step.manifest]
    if len(steps) > MOST_TASKS and stage in DIVIDED:
        return [*(_child(stage, group, recipe) for group in _groups(steps, CHILD_TASKS)), *sent]
    return [*here(stage, steps, recipe), *sent]


def here(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Begun]:
    """Submits steps to the task runner of the flow that runs, one task each."""
    begun = []
    # A flow's tag is not its tasks': the server would be asked for the limits of that tag before each of them.
    with TagsContext(current_tags=set()), _resources(stage):
        for step in steps:
            # The store holds the truth: what it lacks is computed, whatever Prefect remembers.
            task = TASKS[stage].with_options(refresh_cache=step.manifest is None)
            future = task.submit(step.spec.fingerprint, recipe, step.spec.label)
            begun.append(Begun([step], future.result))
    return begun


def compared(spec: Spec, run: str, *, here: bool = False) -> PrefectFuture[Any]:
    """Begins to compare a run's best adapter with the champion.

    Args:
        spec: The artifact that holds the comparison.
        run: The run's name.
        here: Whether it is this process that is to compute it, wherever other work is placed.
    """
    missing = Store(settings().store).find(spec.stage, spec.fingerprint) is None
    if missing and not here and settings().placement == "pools":
        return send.submit("compare", {"run": run}, [(spec.stage, spec.fingerprint)], f"compare: {run}")
    with _resources(spec.stage):
        return compare.with_options(refresh_cache=missing).submit(spec.fingerprint, run)


def _groups(steps: Sequence[Step], size: int) -> list[Sequence[Step]]:
    return [steps[start : start + size] for start in range(0, len(steps), size)]


def _sent(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> Begun:
    labels = [step.spec.label for step in steps]
    label = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
    future = send.submit(
        DEPLOYMENTS[stage],
        {"recipe_yaml": loading.text(Recipe.model_validate(recipe)), **_selected(stage, labels)},
        [(stage, step.spec.fingerprint) for step in steps],
        f"{stage} {label}".strip(),
    )
    return Begun(steps, future.result)


def _selected(stage: str, labels: Sequence[str]) -> dict[str, Any]:
    match stage:
        case "generate" | "examine":
            return {"shards": list(labels)}
        case "train":
            return {"adapter": labels[0]}
        case _:
            return {}


def _child(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> Begun:
    flow = getattr(import_module(f"flows.{stage}"), stage)
    selected = _selected(stage, [step.spec.label for step in steps])

    def finish() -> None:
        with tags(TAG):
            flow(recipe_yaml=loading.text(Recipe.model_validate(recipe)), **selected)

    return Begun(steps, finish)


def _resources(stage: str) -> AbstractContextManager[Any]:
    """What a step takes of a Ray cluster: one GPU where it has a use for one and the cluster has any."""
    if settings().placement != "ray":
        return nullcontext()
    import ray
    from prefect_ray.context import remote_options

    gpus = 1 if stage in ON_GPU and settings().device != "cpu" and ray.cluster_resources().get("GPU") else 0
    # A process keeps its libraries for the next task, and its model if it draws shards. One that evaluates is ended, to
    # free the memory of the GPU.
    return remote_options(num_gpus=gpus, max_calls=1 if stage in ("evaluate", "compare") else 0)
