"""Where the steps of a stage are computed: here, on workers of the pools, or on a Ray cluster. `TUNER_PLACEMENT` says.

A stage of very many shards is computed by child flows in any case: the server and its UI bear about 500 tasks in a
flow run well.
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
from tasks.slots import ON_GPU
from tasks.stages import TASKS
from tuner import loading
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.planning import Step
from tuner.recipe import Recipe
from tuner.registry import STAGES
from tuner.settings import settings
from tuner.stage import spanned
from tuner.training import devices

TAG = "tuner"
"""Of every flow run of this project: by it the server's automations know whose run is silent."""

GROUP_SHARDS = 8
"""Shards that one worker gets at once: enough that loading the model weighs little, few enough to share out."""

MOST_TASKS = 500
CHILD_TASKS = 250
WAITING = 32
"""Threads that wait for workers, each for one adapter or group of shards."""


HERE = 4
"""Light tasks that a flow computes at once while its workers compute the heavy ones."""

EVERY = 10_000
"""Tasks that a flow hands to a Ray cluster at once, which has a queue of its own."""


def lanes() -> dict[str, int]:
    """How many groups of steps compute at once: on the GPUs, and beside them on the CPU.

    Where no GPU is in sight, everything shares the CPU.
    """
    match settings().placement:
        case "ray":
            return {"gpu": EVERY, "cpu": EVERY}
        case "pools":
            return {"gpu": WAITING, "cpu": HERE}
        case _:
            return {"gpu": settings().workers, "cpu": 1} if devices.visible() else {"cpu": settings().workers}


def runner() -> TaskRunner[PrefectFuture[Any]]:
    """The task runner of every flow.

    Raises:
        InputError: If Ray is asked for and not installed.
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


def groups(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Group]:
    """The groups in which the steps of a stage are computed, wherever settings say.

    Args:
        stage: The stage.
        steps: What of it is wanted, there or missing.
        recipe: The recipe as plain data.
    """
    sent: list[Group] = []
    if settings().placement == "pools" and STAGES[stage].gpu:
        size = GROUP_SHARDS if STAGES[stage].divided else 1
        missing = [step for step in steps if step.manifest is None]
        sent = [_sent(stage, some, recipe) for some in _split(missing, size)]
        steps = [step for step in steps if step.manifest]
    if len(steps) > MOST_TASKS:
        return [*(_child(stage, some, recipe) for some in _split(steps, CHILD_TASKS)), *sent]
    return [*here(stage, steps, recipe), *sent]


def here(stage: str, steps: Sequence[Step], recipe: dict[str, Any]) -> list[Group]:
    """The steps of a stage, each as a task of the flow that runs."""
    return [Group((step,), _lane(stage), partial(_submitted, stage, step, recipe)) for step in steps]


def _submitted(stage: str, step: Step, recipe: dict[str, Any]) -> PrefectFuture[Any]:
    # A flow's tag is not its tasks': the server would be asked for the limits of that tag before each of them.
    with TagsContext(current_tags=set()), _resources(stage):
        # The store holds the truth: what it lacks is computed, whatever Prefect remembers.
        task = TASKS[stage].with_options(refresh_cache=step.manifest is None)
        return task.submit(step.spec.fingerprint, recipe, step.spec.label)


def _lane(stage: str) -> str:
    return "gpu" if STAGES[stage].gpu and "gpu" in lanes() else "cpu"


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


def _split(steps: Sequence[Step], size: int) -> list[tuple[Step, ...]]:
    return [tuple(steps[start : start + size]) for start in range(0, len(steps), size)]


def _sent(stage: str, steps: tuple[Step, ...], recipe: dict[str, Any]) -> Group:
    labels = [step.spec.label for step in steps]

    def begin() -> PrefectFuture[Any]:
        return send.submit(
            STAGES[stage].flow,
            {"recipe_yaml": loading.text(Recipe.model_validate(recipe)), "parts": labels},
            [(stage, step.spec.fingerprint) for step in steps],
            f"{stage} {spanned(labels)}".strip(),
        )

    return Group(steps, _lane(stage), begin)


def _child(stage: str, steps: tuple[Step, ...], recipe: dict[str, Any]) -> Group:
    from flows.stages import FLOWS  # which are placed by this module

    def run() -> None:
        with tags(TAG):
            labels = [step.spec.label for step in steps]
            FLOWS[stage](recipe_yaml=loading.text(Recipe.model_validate(recipe)), parts=labels)

    def begin() -> Future[None]:
        child: Future[None] = Future()
        context = copy_context()  # by it Prefect knows whose child the flow run is

        def compute() -> None:
            try:
                child.set_result(context.run(run))
            except Exception as error:  # noqa: BLE001 - raised by whoever asks for the result
                child.set_exception(error)

        Thread(target=compute, name=f"{stage} {steps[0].spec.label}", daemon=True).start()
        return child

    return Group(steps, _lane(stage), begin)


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
