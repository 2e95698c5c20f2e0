"""Where the steps of a stage run: in this process, on workers of the pools, or on a Ray cluster (`TUNER_PLACEMENT`).

A stage of very many shards always runs as child flows: the server and its UI handle up to about 500 tasks in a flow
run well.
"""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any, cast

from prefect import tags
from prefect.context import TagsContext
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.scheduling import Group
from tasks.compare import compare
from tasks.send import send
from tasks.slots import uses_gpu
from tasks.stages import TASKS
from tuner import loading
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.store import Store
from tuner.doctor import first_shard
from tuner.errors import InputError
from tuner.generation.stage import GENERATE
from tuner.planning import Step
from tuner.recipe import Recipe
from tuner.registry import STAGES
from tuner.settings import settings
from tuner.stage import label_range
from tuner.training import devices
from tuner.training.stage import TRAIN
from tuner.training.sweeps.stages import TRIAL

TAG = "tuner"
"""The tag of every flow run of this project, by which the server's automations select them."""

GROUP_SHARDS = 8
"""Shards in one flow run of a worker: enough to amortise loading the model, few enough to balance the load."""

MOST_TASKS = 500
CHILD_TASKS = 250
REMOTE_GROUPS = 32
"""Flow runs on workers that a flow waits for at once, a thread for each."""

LOCAL_TASKS = 4
"""CPU tasks that a flow runs at once while its workers run the GPU tasks."""

RAY_TASKS = 10_000
"""Tasks that a flow submits to a Ray cluster at once; the cluster queues them itself."""


def lanes() -> dict[str, int]:
    """How many groups of steps run at once in each lane: on the GPUs, and on the CPU.

    Without a visible GPU, everything runs in the CPU lane. A stage whose artifacts are made at once in one process has
    a lane of its own there.
    """
    match settings().placement:
        case "ray":
            return {"gpu": RAY_TASKS, "cpu": RAY_TASKS}
        case "pools":
            return {"gpu": REMOTE_GROUPS, "cpu": LOCAL_TASKS}
        case _:
            lanes = {"gpu": settings().workers, "cpu": 1} if devices.visible() else {"cpu": settings().workers}
            return lanes | {stage.name: stage.at_once for stage in STAGES.values() if stage.at_once > 1}


def task_runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of every flow.

    Raises:
        InputError: If Ray is configured but not installed.
    """
    placement = settings().placement
    if placement != "ray":
        return cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=sum(lanes().values())))
    try:
        ray = import_module("prefect_ray")
    except ModuleNotFoundError:
        raise InputError(
            "TUNER_PLACEMENT=ray: prefect-ray is not installed; pip install 'synthetic-instruction-tuner[ray]'"
        ) from None
    return ray.RayTaskRunner(
        address=os.environ.get("RAY_ADDRESS"),
        init_kwargs={
            "runtime_env": {"env_vars": _worker_environment()},
            "log_to_driver": False,
            "logging_level": logging.WARNING,
        },
    )


def _worker_environment() -> dict[str, str]:
    """The environment of Ray's workers, without secrets: workers inherit those from `ray start`."""
    own = ("TUNER_HOME", "TUNER_ENDPOINT_KEY")
    variables = {key: value for key, value in os.environ.items() if key.startswith("TUNER_") and key not in own}
    return {
        **variables,
        # Without it a worker would start a server of its own.
        "PREFECT_API_URL": os.environ.get("PREFECT_API_URL", ""),
        "TUNER_STORE": Store(settings().store).url,  # absolute: the worker has another working directory
        # Ray would set one thread; sums in another order differ in their last bits.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
    }


def groups(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Group]:
    """The groups in which the steps of a stage run, placed as the settings say.

    Args:
        stage: The stage.
        steps: The stage's steps, cached or missing.
        recipe: The recipe as plain data.
    """
    remote: list[Group] = []
    if settings().placement == "pools" and uses_gpu(stage):
        size = GROUP_SHARDS if STAGES[stage].sharded else 1
        missing = [step for step in steps if step.manifest is None]
        remote = [_remote_group(stage, chunk, recipe) for chunk in _chunks(missing, size)]
        steps = [step for step in steps if step.manifest]
    if len(steps) > MOST_TASKS:
        return [*(_child_group(stage, chunk, recipe) for chunk in _chunks(steps, CHILD_TASKS)), *remote]
    return [*local_groups(stage, steps, recipe), *remote]


def local_groups(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Group]:
    """The steps of a stage, each as a task of the current flow run; the shard that the run hangs on first."""
    lane = stage if stage in lanes() else _lane(stage)
    missing = {step.spec.fingerprint for step in steps if step.manifest is None}
    first: dict[str, frozenset[str]] = {}
    if stage == GENERATE.name and missing:
        deciding = first_shard.deciding(Recipe.model_validate(recipe))
        first = {part.subject.source: frozenset({part.fingerprint} & missing) for part in deciding}
    return [
        Group(
            (step,),
            lane,
            partial(_submit, stage, step, recipe),
            frozenset() if step.manifest or not first else first.get(step.spec.subject.source, frozenset()),
        )
        for step in steps
    ]


def _submit(stage: str, step: Step, recipe: dict[str, Any]) -> PrefectFuture[Any]:
    # Tasks do not inherit the flow's tag: Prefect would ask the server for that tag's limits before each of them.
    with TagsContext(current_tags=set()), _resources(stage):
        # The store decides: what is missing there is computed, even if Prefect has cached a result.
        task = TASKS[stage].with_options(refresh_cache=step.manifest is None)
        return task.submit(step.spec.fingerprint, recipe, step.spec.label)


def _lane(stage: str) -> str:
    return "gpu" if uses_gpu(stage) and "gpu" in lanes() else "cpu"


def submit_comparison(spec: Spec, run: str, *, local: bool = False) -> PrefectFuture[Any]:
    """Starts the comparison of a run's best adapter with the champion.

    Args:
        spec: The artifact that holds the comparison.
        run: The run's name.
        local: Whether to run it in this process whatever the placement.
    """
    missing = Store(settings().store).find(spec.stage, spec.fingerprint) is None
    if missing and not local and settings().placement == "pools":
        return send.submit("compare", {"run": run}, [(spec.stage, spec.fingerprint)], f"compare: {run}")
    with _resources(spec.stage):
        return compare.with_options(refresh_cache=missing).submit(spec.fingerprint, run)


def _chunks(steps: Sequence[Step], size: int) -> list[tuple[Step, ...]]:
    return [tuple(steps[start : start + size]) for start in range(0, len(steps), size)]


def _remote_group(stage: str, steps: tuple[Step, ...], recipe: dict[str, Any]) -> Group:
    labels = [step.spec.label for step in steps]

    def begin() -> PrefectFuture[Any]:
        return send.submit(
            STAGES[stage].flow,
            {"recipe_yaml": loading.text(Recipe.model_validate(recipe)), "parts": labels},
            [(stage, step.spec.fingerprint) for step in steps],
            f"{stage} {label_range(labels)}".strip(),
        )

    return Group(steps, _lane(stage), begin)


def _child_group(stage: str, steps: tuple[Step, ...], recipe: dict[str, Any]) -> Group:
    from flows.stages import FLOWS  # a circular import: the flows use this module

    def run() -> None:
        with tags(TAG):
            labels = [step.spec.label for step in steps]
            FLOWS[stage](recipe_yaml=loading.text(Recipe.model_validate(recipe)), parts=labels)

    def begin() -> Future[None]:
        child: Future[None] = Future()
        context = copy_context()  # Prefect takes the parent flow run from it

        def compute() -> None:
            try:
                child.set_result(context.run(run))
            except Exception as error:  # noqa: BLE001 - raised again by `result`
                child.set_exception(error)

        Thread(target=compute, name=f"{stage} {steps[0].spec.label}", daemon=True).start()
        return child

    return Group(steps, _lane(stage), begin)


def _resources(stage: str) -> AbstractContextManager[Any]:
    """What a step reserves on a Ray cluster that has GPUs: one if it uses one; a training, one for each process."""
    if settings().placement != "ray":
        return nullcontext()
    import ray
    from prefect_ray.context import remote_options

    wanted = settings().train_processes if stage in (TRAIN.name, TRIAL.name) else 1
    gpus = wanted if uses_gpu(stage) and settings().device != "cpu" and ray.cluster_resources().get("GPU") else 0
    # A worker process is reused, so that libraries and the generator stay loaded; after an evaluation it is ended, to
    # free the GPU's memory.
    return remote_options(num_gpus=gpus, max_calls=1 if stage in ("evaluate", "compare") else 0)
