"""A process worker that runs only the deployments that ship with this package.

    python -m deployments.worker --pool cpu --limit 1

works like `prefect worker start --type process` with the same options. Entrypoint, command and environment of a flow
run come from `deployments.shipped` and never from the server; a flow run with others fails with a reason. Flow runs end
with their worker, even if it is killed.
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
"""The type under which the Prefect CLI finds the class; to the server it is a process worker."""


class NoHooks:
    """Skips cancellation and crash hooks: the shipped flows have none, and no other flow is loaded here."""

    async def run_cancellation_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Does nothing."""

    async def run_crashed_hooks(self, flow_run: FlowRun, state: State) -> None:
        """Does nothing."""


class ShippedWorker(ProcessWorker):
    """Takes only the flow's name and its parameters from the server."""

    @classmethod
    def __dispatch_key__(cls) -> str:
        return TYPE

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> ProcessWorkerResult:
        """Runs a flow run in a child process, or fails it if it is refused.

        Args:
            flow_run: The flow run.
            configuration: The server's configuration, which is ignored.
            task_status: Gets the id of the process as soon as it has started, or the refusal.
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
        safe_configuration = ProcessJobConfiguration(
            env=shipped.job_template(self.work_pool.name)["job_configuration"]["env"]
        )
        safe_configuration.prepare_for_flow_run(flow_run, deployment, flow, self.work_pool, self.name, self.backend_id)
        with TemporaryDirectory(suffix="prefect") as folder:
            async with FlowRunExecutorContext() as context:
                starter = EngineCommandStarter(
                    command=command_to_string(as_child(sys.executable, "prefect.engine")),
                    entrypoint=deployment.entrypoint,
                    cwd=Path(folder),
                    env=safe_configuration.env,
                    control_channel=context.control_channel,
                    isolate_process_group=True,
                    env_overrides_settings=True,
                )
                executor = context.create_executor(flow_run, starter, propose_submitting=False, hook_runner=NoHooks())
                return await _execute(executor, status)


async def _execute(executor: FlowRunExecutor, status: anyio.abc.TaskStatus[int]) -> ProcessWorkerResult:
    results: list[ProcessWorkerResult] = []

    async def execute(*, task_status: anyio.abc.TaskStatus[Any]) -> None:
        result = await executor.submit(task_status=task_status)
        if result and result.status_code is not None:
            results.append(ProcessWorkerResult(status_code=result.status_code, identifier=str(result.handle.pid)))

    async with anyio.create_task_group() as group:
        handle = await group.start(execute)
        status.started(handle.pid)
    return results[0]


if __name__ == "__main__":
    from prefect.cli import app

    sys.argv[1:1] = ["worker", "start", "--type", TYPE]
    app()
