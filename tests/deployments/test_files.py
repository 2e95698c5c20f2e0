"""Deployment files: what they name exists, work goes to suitable pools, and versions are pinned."""

import asyncio
import re
import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from prefect import Flow
from prefect.server.schemas.schedules import CronSchedule

from deployments.automations import TAG
from deployments.register import listed
from deployments.settings import POOLS
from tasks.slots import ON_GPU
from tuner.registry import STAGES

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "deployments" / "Dockerfile").read_text()

COMPUTING = {STAGES[stage].flow if stage in STAGES else stage for stage in ON_GPU}
"""The deployments that load a model: one for each stage that uses a GPU."""


def deployment(name: str) -> dict[str, Any]:
    """The deployment with this name."""
    (found,) = (each for each in listed() if each["name"] == name)
    return found


def schedules(active: bool) -> dict[str, dict[str, Any]]:
    """The active or the inactive schedules, by the name of their deployment."""
    return {
        each["name"]: schedule
        for each in listed()
        for schedule in each.get("schedules", [])
        if schedule["active"] is active
    }


@pytest.mark.parametrize("each", listed(), ids=lambda each: each["name"])
def test_an_entrypoint_is_a_module_path_to_the_flow_of_that_name(each: dict[str, Any]) -> None:
    module, name = each["entrypoint"].rsplit(".", 1)
    flow = getattr(import_module(module), name)
    assert isinstance(flow, Flow)
    assert flow.name == each["name"]


def test_no_two_deployments_have_the_same_name() -> None:
    names = [each["name"] for each in listed()]
    assert len(set(names)) == len(names)


def test_what_computes_with_a_model_goes_to_the_pool_of_gpus_and_nothing_else_does() -> None:
    assert {each["name"] for each in listed() if each["work_pool"]["name"] == "gpu"} == COMPUTING


def test_every_pool_has_work_and_all_work_has_a_pool() -> None:
    assert {each["work_pool"]["name"] for each in listed()} == set(POOLS)


def test_each_says_what_it_is() -> None:
    for each in listed():
        assert each["description"].endswith(".")
        assert (each["tags"], each["version"]) == ([TAG], PROJECT["version"])


def test_nothing_trains_or_draws_rows_unasked() -> None:
    # A regeneration sends its work to deployments that compute, and so does a pipeline.
    assert not schedules(active=True).keys() & {*COMPUTING, "regenerate", "pipeline"}


@pytest.mark.parametrize(
    ("name", "active", "every"),
    [("regenerate", False, timedelta(weeks=1)), ("collect-garbage", True, timedelta(days=1))],
)
def test_a_regeneration_may_be_had_weekly_and_garbage_is_collected_nightly(
    name: str, active: bool, every: timedelta
) -> None:
    (given,) = deployment(name)["schedules"]
    schedule = CronSchedule(cron=given["cron"], timezone=given["timezone"])
    dates: Sequence[datetime] = asyncio.run(schedule.get_dates(4))
    assert all(later - earlier == every for earlier, later in pairwise(dates))
    assert given["active"] is active


def test_the_image_holds_every_package() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for package in (pattern.removesuffix("*") for pattern in packages):
        assert f"\nCOPY {package} {package}\n" in DOCKERFILE
        assert f"!{package}" in sent


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    assert re.match(r"FROM python:\d+\.\d+\.\d+-", DOCKERFILE)
    assert "--constraint requirements.lock" in DOCKERFILE
    assert "\nUSER tuner\n" in DOCKERFILE


def test_the_lock_pins_what_the_image_installs_in_a_version_that_every_machine_can_have() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert all(line.startswith("#") or "==" in line for line in lines if line)
    pins = (Requirement(line) for line in lines if line and not line.startswith("#"))
    locked = {canonicalize_name(pin.name): Version(next(iter(pin.specifier)).version) for pin in pins}
    (extras,) = re.findall(r'"\.\[(.+)\]"', DOCKERFILE)
    optional = (PROJECT["optional-dependencies"][extra] for extra in extras.split(","))
    for wanted in map(Requirement, [*PROJECT["dependencies"], *(each for extra in optional for each in extra)]):
        version = locked[canonicalize_name(wanted.name)]
        assert version in wanted.specifier, wanted.name
        # A build such as 2.13.0+cpu is in one index and not in others.
        assert version.local is None, wanted.name
