"""The GPU slot of a killed process is free again when its lease expires."""

import os
import time
from collections.abc import Iterator

import pytest

from tasks.slots import LEASE_SECONDS, LIMIT
from tests.e2e.conftest import holder
from tests.present import present
from tests.rest import call

pytestmark = pytest.mark.e2e

LOOP_SECONDS = 15.0
"""The interval at which the server looks for expired leases."""


@pytest.fixture
def one_slot(prefect_url: str) -> Iterator[dict[str, str]]:
    """The environment of processes that share one slot."""
    identifier = call(f"{prefect_url}/v2/concurrency_limits/", {"name": LIMIT, "limit": 1})["id"]
    yield {**os.environ, "PREFECT_API_URL": prefect_url, "TUNER_PLACEMENT": "pools"}
    call(f"{prefect_url}/v2/concurrency_limits/{identifier}", method="DELETE")


def test_the_slot_of_a_killed_process_is_free_again(one_slot: dict[str, str]) -> None:
    first = holder(one_slot)
    assert present(first.stdout).readline() == "held\n"
    taken = time.monotonic()
    second = holder(one_slot)
    first.kill()
    first.wait()

    assert present(second.stdout).readline() == "held\n"
    waited = time.monotonic() - taken
    assert LEASE_SECONDS - 10 < waited < LEASE_SECONDS + 4 * LOOP_SECONDS

    second.communicate()
    assert second.returncode == 0
    released = time.monotonic()
    third = holder(one_slot)
    assert present(third.stdout).readline() == "held\n"
    assert time.monotonic() - released < LEASE_SECONDS - 10, "a process that ends normally releases its slot"
    third.communicate()
