"""The templates of the work pools, judged by the server and by the workers that use them."""

import asyncio
import uuid
from itertools import product
from typing import Any, get_args

import pytest
from docker.models.containers import _create_container_args  # pyright: ignore[reportAttributeAccessIssue]
from docker.types import DeviceRequest
from docker.utils import parse_bytes
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool
from prefect.utilities.templating import find_placeholders
from prefect.workers.base import BaseJobConfiguration
from prefect.workers.process import ProcessWorker
from prefect_docker import DockerWorker
from prefect_kubernetes import KubernetesWorker

from deployments import automations, pools
from deployments.settings import POOLS, Cluster, PoolType
from tuner.errors import InputError

TYPES = {"process": ProcessWorker, "docker": DockerWorker, "kubernetes": KubernetesWorker}
KINDS = list(product(get_args(PoolType), POOLS))

DOCKERS_SHARED_MEMORY = 64 * 2**20
"""What a container has of itself, too little for torch's data loaders."""


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that containers reach."""
    monkeypatch.setenv("TUNER_STORE", "s3://bucket/store")
    monkeypatch.setenv("TUNER_PLACEMENT", "pools")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://objects:8333")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-access-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")


def template(kind: PoolType, pool: str, **settings: Any) -> dict[str, Any]:
    return pools.template(pool, Cluster(pool_type=kind, **settings))


def prepared(kind: PoolType, pool: str, **values: Any) -> Any:
    """What a worker makes of a template for a flow run."""
    run = FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="quickstart: lora r8")

    async def make() -> BaseJobConfiguration:
        async with get_client() as client:
            its = template(kind, pool, network="tuner_default")
            made = await TYPES[kind].job_configuration.from_template_and_values(its, values, client=client)
        work_pool = WorkPool(name=pool, type=kind, default_queue_id=uuid.uuid4())
        made.prepare_for_flow_run(run, flow=Flow(name="tune", labels={}), work_pool=work_pool)
        return made

    return asyncio.run(make())


def is_heard_in_time(environment: dict[str, Any]) -> bool:
    """Whether a run that lives, and loses two heartbeats on their way, is still not taken for dead."""
    return 3 * float(environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) <= automations.SILENCE.total_seconds()


@pytest.mark.parametrize(("kind", "pool"), KINDS)
def test_the_server_takes_it(kind: PoolType, pool: str, client: SyncPrefectClient) -> None:
    made = client.create_work_pool(
        WorkPoolCreate(name=f"{kind}-{pool}-{uuid.uuid4()}", type=kind, base_job_template=template(kind, pool))
    )
    assert made.type == kind


@pytest.mark.parametrize(("kind", "pool"), KINDS)
def test_every_variable_is_used_and_has_a_type_and_a_default_of_it(kind: PoolType, pool: str) -> None:
    its = template(kind, pool)
    used = {found.name for found in find_placeholders(its["job_configuration"])}
    properties = its["variables"]["properties"]
    # The environment is merged into the template's own, which is why it is not named there.
    assert {name for name in used if not name.startswith("prefect.blocks.")} | {"env"} == set(properties)
    types = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    for name, its in properties.items():
        assert isinstance(its.get("default", types[its["type"]]()), types[its["type"]]), name


def test_a_process_sends_heartbeats_and_keeps_what_a_person_adds(client: SyncPrefectClient) -> None:
    made = prepared("process", "gpu", env={"CUDA_VISIBLE_DEVICES": "1"})
    assert is_heard_in_time(made.env)
    assert made.env["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(("pool", "gpus"), [("cpu", 0), ("gpu", 1)])
def test_a_container_is_confined_and_gets_its_gpu(pool: str, gpus: int, client: SyncPrefectClient) -> None:
    pools._save_credentials()
    made = prepared("docker", pool, env={"PREFECT_API_URL": "http://prefect:4200/api"})
    worker = DockerWorker(work_pool_name=pool, test_mode=True)
    settings = worker._build_container_settings(None, made)  # type: ignore[arg-type]  # no engine is asked

    host = _create_container_args({**settings, "version": "1.45"})["host_config"]
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])
    assert host["ShmSize"] > DOCKERS_SHARED_MEMORY
    assert settings["network"] == "tuner_default"
    requests = host.get("DeviceRequests") or []
    assert requests == [DeviceRequest(driver="nvidia", count=1, capabilities=[["gpu"]])] * gpus
    assert {
        "TUNER_STORE": "s3://bucket/store",
        "TUNER_PLACEMENT": "pools",
        "AWS_ENDPOINT_URL": "http://objects:8333",
        "AWS_SECRET_ACCESS_KEY": "the-secret-key",
    }.items() <= settings["environment"].items()
    assert is_heard_in_time(settings["environment"])


def test_a_template_holds_no_key(client: SyncPrefectClient) -> None:
    pools._save_credentials()
    assert "the-secret-key" not in str(template("docker", "gpu"))
    secret = Secret.load("tuner-aws-secret-access-key")
    assert isinstance(secret, Secret) and secret.get() == "the-secret-key"


def test_containers_without_a_shared_store_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_STORE", "./store")
    with pytest.raises(InputError, match="TUNER_STORE: containers share no folder"):
        template("docker", "cpu")


def test_containers_without_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    with pytest.raises(InputError, match="AWS_ACCESS_KEY_ID: set it"):
        pools._save_credentials()


@pytest.mark.parametrize(("pool", "gpus"), [("cpu", None), ("gpu", 2)])
def test_a_job_is_confined_and_gets_its_gpu(pool: str, gpus: int | None, client: SyncPrefectClient) -> None:
    made = prepared("kubernetes", pool, **({"gpus": gpus} if gpus else {}))
    pod = made.job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"].get("nvidia.com/gpu") == gpus
    assert ("tolerations" in pod) == bool(gpus)
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    (shared,) = (mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/dev/shm")
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == shared)
    assert volume["emptyDir"]["medium"] == "Memory"
    assert parse_bytes(volume["emptyDir"]["sizeLimit"].removesuffix("i")) > DOCKERS_SHARED_MEMORY
    assert container["envFrom"] == [{"secretRef": {"name": "tuner"}}]
    assert is_heard_in_time({each["name"]: each["value"] for each in container["env"]})
    assert made.job_manifest["metadata"]["generateName"]
