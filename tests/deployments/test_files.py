"""The files that deploy: what they name exists, and what they use is pinned."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

from deployments.automations import TAG
from deployments.register import listed
from deployments.settings import POOLS

ROOT = Path(__file__).parents[2]

NAMES = ["pipeline", "generate", "tune", "evaluate", "compare", "report", "regenerate", "collect-garbage"]


def test_entrypoints_are_module_paths_that_import() -> None:
    assert [each["name"] for each in listed()] == NAMES
    for each in listed():
        module, name = each["entrypoint"].rsplit(".", 1)
        assert getattr(import_module(module), name).name == each["name"]


def test_what_computes_on_a_gpu_goes_to_its_pool() -> None:
    assert {each["name"]: each["work_pool"]["name"] for each in listed()} == {
        name: "gpu" if name in ("generate", "tune", "evaluate", "compare") else "cpu" for name in NAMES
    }
    assert set(POOLS) == {"cpu", "gpu"}


def test_each_says_what_it_is() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for each in listed():
        assert each["description"].endswith(".")
        assert (each["tags"], each["version"]) == ([TAG], version)


def test_regeneration_is_weekly_and_off_and_garbage_is_collected_nightly() -> None:
    found = {each["name"]: each["schedules"] for each in listed() if "schedules" in each}
    assert set(found) == {"regenerate", "collect-garbage"}
    (weekly,), (nightly,) = found["regenerate"], found["collect-garbage"]
    assert (weekly["cron"], weekly["timezone"], weekly["active"]) == ("0 3 * * 1", "UTC", False)
    assert (nightly["cron"], nightly["timezone"], nightly["active"]) == ("0 1 * * *", "UTC", True)


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "deployments" / "Dockerfile").read_text()
    assert re.match(r"FROM python:\d+\.\d+\.\d+-", text)
    assert "--constraint requirements.lock" in text
    assert "\nUSER tuner\n" in text


def test_the_lock_pins_everything_exactly() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(line.startswith("#") or "==" in line for line in lines if line)
    assert "torch==2.13.0" in lines
