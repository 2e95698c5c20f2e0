"""Registration against a real server: everything is there, twice is once, and what a person changed stays."""

import subprocess
import sys
from contextlib import suppress

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate, WorkPoolUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound

from deployments import automations
from deployments.register import listed, register
from deployments.settings import cluster
from tests.deployments.conftest import Server
from tests.deployments.processes import PATIENCE, until
from tests.present import present
from tuner.errors import InputError

CRASH = automations.crash_silent_runs().name


def run(guarded: Server, monkeypatch: pytest.MonkeyPatch, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m deployments.register`, as a person would."""
    for key, value in {**guarded.environment, **environment}.items():
        monkeypatch.setenv(key, value)
    return subprocess.run(
        [sys.executable, "-m", "deployments.register"], capture_output=True, text=True, timeout=PATIENCE
    )


def test_everything_is_there(guarded: Server, client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with suppress(ObjectNotFound):  # the server is shared with other tests
        client.delete_global_concurrency_limit_by_name("gpu")
    done = run(guarded, monkeypatch, TUNER_GPU_SLOTS="3")
    assert done.returncode == 0, done.stderr

    for each in listed():
        there = client.read_deployment_by_name(f"{each['name']}/{each['name']}")
        assert (there.work_pool_name, there.version) == (each["work_pool"]["name"], each["version"])
        assert (there.description, there.tags) == (each["description"], ["tuner"])
        assert (there.entrypoint, there.pull_steps or []) == (each["entrypoint"], []), "nothing is fetched at run time"
        fields = present(there.parameter_openapi_schema)["properties"]
        assert fields and all(field.get("default", "") is not None for field in fields.values()), (
            "it would be sent back"
        )
    assert {pool.name for pool in client.read_work_pools()} >= {"cpu", "gpu"}
    assert client.read_global_concurrency_limit_by_name("gpu").limit == 3
    assert client.read_automations_by_name(CRASH)[0].enabled


def test_a_schedule_that_is_on_brings_runs(client: SyncPrefectClient) -> None:
    register()
    nightly = DeploymentFilter(name=DeploymentFilterName(any_=["collect-garbage"]))
    runs = until(lambda: client.read_flow_runs(deployment_filter=nightly), "the scheduler plans a run")
    assert {run.state_type for run in runs} == {StateType.SCHEDULED}
    assert {run.expected_start_time.hour for run in runs} == {1}


def test_what_a_person_changed_stays(client: SyncPrefectClient) -> None:
    register()
    regenerate = client.read_deployment_by_name("regenerate/regenerate")
    assert not regenerate.schedules[0].active
    client.update_deployment_schedule(regenerate.id, regenerate.schedules[0].id, active=True)
    client.update_global_concurrency_limit("gpu", GlobalConcurrencyLimitUpdate(limit=7))
    client.update_work_pool("gpu", WorkPoolUpdate(is_paused=True, concurrency_limit=5))
    client.pause_automation(client.read_automations_by_name(CRASH)[0].id)

    register()

    schedules = client.read_deployment_by_name("regenerate/regenerate").schedules
    assert [schedule.active for schedule in schedules] == [True]
    assert client.read_global_concurrency_limit_by_name("gpu").limit == 7
    pool = client.read_work_pool("gpu")
    assert (pool.is_paused, pool.concurrency_limit) == (True, 5)
    assert [found.enabled for found in client.read_automations_by_name(CRASH)] == [False]


def test_a_schedule_of_ones_own_brings_runs_of_ones_own_recipe_and_stays(client: SyncPrefectClient) -> None:
    register()
    pipeline = client.read_deployment_by_name("pipeline/pipeline")
    own = {"schedule": {"cron": "0 2 * * *"}, "active": True, "parameters": {"recipe_yaml": "name: mine"}}
    client._client.post(f"/deployments/{pipeline.id}/schedules", json=[own]).raise_for_status()

    register()

    (schedule,) = client.read_deployment_by_name("pipeline/pipeline").schedules
    assert (schedule.active, schedule.parameters) == (True, {"recipe_yaml": "name: mine"})
    named = DeploymentFilter(name=DeploymentFilterName(any_=["pipeline"]))
    runs = until(lambda: client.read_flow_runs(deployment_filter=named), "the scheduler plans a run")
    assert {run.parameters["recipe_yaml"] for run in runs} == {"name: mine"}


def test_templates_are_brought_up_to_date(client: SyncPrefectClient) -> None:
    register()
    client.update_work_pool("cpu", WorkPoolUpdate(base_job_template={}))
    register()
    environment = client.read_work_pool("cpu").base_job_template["job_configuration"]["env"]
    assert environment == {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30", "PREFECT_CLIENT_MAX_RETRIES": "7"}


def test_a_pool_of_another_type_is_refused(client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    register()
    monkeypatch.setenv("TUNER_POOL_TYPE", "kubernetes")
    cluster.cache_clear()
    with pytest.raises(InputError, match=r"TUNER_POOL_TYPE=kubernetes: .* pool cpu of type process; delete it"):
        register()


def test_a_notification_block_that_is_not_there_is_named_in_one_line(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(guarded, monkeypatch, TUNER_NOTIFY_BLOCK="slack-webhook/nowhere")
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("tuner: TUNER_NOTIFY_BLOCK=slack-webhook/nowhere: ")


@pytest.mark.parametrize(
    ("name", "value"), [("POOL_TYPE", "lambda"), ("GPU_SLOTS", "0"), ("NOTIFY_BLOCK", "https://hooks.example/secret")]
)
def test_a_wrong_setting_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TUNER_{name}", value)
    with pytest.raises(InputError, match=f"TUNER_{name}: ") as error:
        cluster()
    assert "secret" not in str(error.value)
