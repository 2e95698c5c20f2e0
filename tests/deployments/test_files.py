"""The files that deploy: what they name exists, what they open is on loopback, what they use is pinned."""

from importlib import import_module
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_entrypoints_are_module_paths_that_import() -> None:
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    assert [each["name"] for each in deployments] == ["pipeline", "regenerate"]
    for each in deployments:
        module, name = each["entrypoint"].rsplit(".", 1)
        assert getattr(import_module(module), name).name == each["name"]


def test_regenerate_is_weekly_and_off() -> None:
    deployments = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]
    (schedule,) = deployments[1]["schedules"]
    assert (schedule["cron"].split()[-1], schedule["active"]) == ("1", False)


def test_compose_is_pinned_on_loopback_and_without_a_password_of_its_own() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    services = yaml.safe_load(text)["services"]
    for name, service in services.items():
        assert "build" in service or ":" in service["image"], name
        assert not service.get("image", "").endswith(":latest")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    example = (ROOT / ".env.example").read_text()
    for variable in ("POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        assert f"${{{variable}:?" in text
        assert f"{variable}=\n" in example


def test_the_lock_pins_everything_exactly() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(line.startswith("#") or "==" in line for line in lines if line)
    assert "torch==2.13.0" in lines
