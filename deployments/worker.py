"""A process worker that runs only the deployments that ship here.

    python -m deployments.worker --pool cpu --limit 1

is `prefect worker start --type process` with the same options. Entrypoint, command and environment of a flow run come
from `deployments.shipped` and never from the server; a flow run that wants others fails, and says so. Each ends with
its worker, even if that one is killed.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.abc
from prefect.client.schemas.objects import FlowRun, State
from prefect.runner._flow_run_executor import FlowRunExecutor, FlowRunExecutorContext
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.states import Failed
from prefect.utilities.processutils import command_to_string
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from deployments import shipped
from deployments.child import as_child

TYPE = "shipped"
"""Under which the command finds the class; to the server it is a process worker."""


class NoHooks:
    """Runs no hook after a cancellation or a crash: the flows that ship have none, and others are not loaded here."""

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Does nothing."""

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Does nothing."""


class ShippedWorker(ProcessWorker):
    """Takes from the server which flow to run, and with which parameters, and nothing else."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        return TYPE

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> ProcessWorkerResult:
        """Runs a flow run in a process of its own, or has it fail.

        Args:
            flow_run: The flow run.
            configuration: What the server would have; it is made anew.
            task_status: Is told the process, as soon as there is one, or the refusal.
        """
        status = task_status or anyio.TASK_STATUS_IGNORED
        identifier = flow_run.deployment_id
        deployment = await self.client.read_deployment(identifier) if identifier else None
        refused = shipped.refusal(flow_run, deployment, self.work_pool)
        if refused or deployment is None:
            self.get_flow_run_logger(flow_run).error(refused)
            await self.client.set_flow_run_state(flow_run.id, Failed(message=refused), force=True)
            status.started(PermissionError(refused))
            return ProcessWorkerResult(status_code=0, identifier="refused")
        flow = await self.client.read_flow(flow_run.flow_id)
        own = ProcessJobConfiguration(env=shipped.job_template(self.work_pool.name)["job_configuration"]["env"])
        own.prepare_for_flow_run(flow_run, deployment, flow, self.work_pool, self.name, self.backend_id)
        with TemporaryDirectory(suffix="prefect") as folder:
            async with FlowRunExecutorContext() as context:
                starter = EngineCommandStarter(
                    command=command_to_string(as_child(sys.executable, "prefect.engine")),
                    entrypoint=deployment.entrypoint,
                    cwd=Path(folder),
                    env=own.env,
                    control_channel=context.control_channel,
                    isolate_process_group=True,
                    env_overrides_settings=True,
                )
                executor = context.create_executor(flow_run, starter, propose_submitting=False, hook_runner=NoHooks())
                return await _executed(executor, status)


async def _executed(executor: FlowRunExecutor, status: anyio.abc.TaskStatus[int]) -> ProcessWorkerResult:
    results: list[ProcessWorkerResult] = []

    async def execute(*, task_status: anyio.abc.TaskStatus[Any]) -> None:
        ended = await executor.submit(task_status=task_status)
        if ended and ended.status_code is not None:
            results.append(ProcessWorkerResult(status_code=ended.status_code, identifier=str(ended.handle.pid)))

    async with anyio.create_task_group() as group:
        handle = await group.start(execute)
        status.started(handle.pid)
    return results[0]


if __name__ == "__main__":
    from prefect.cli import app

    sys.argv[1:1] = ["worker", "start", "--type", TYPE]
    app()
