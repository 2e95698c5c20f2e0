"""A run on S3 of which a fifth of all requests fail: it completes, and its retries are visible."""

import re
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.e2e.conftest import Finished, Tuner, data_bytes, manifests
from tests.flaky import FAILURES, FlakyServer, flaky
from tests.rest import call

pytestmark = pytest.mark.e2e


@pytest.fixture
def proxy(s3_endpoint: str) -> Iterator[FlakyServer]:
    with flaky(s3_endpoint, seed=20) as server:
        # Quick retries mostly hide a fifth, so one file fails for all four attempts of a task.
        server.forced = {r"GET .*/train\.parquet": 4}
        yield server


def test_a_whole_run(
    recipe: Path,
    tmp_path: Path,
    tuner: Tuner,
    prefect_url: str,
    s3_url: str,
    proxy: FlakyServer,
    finished: Finished,
) -> None:
    result = tuner("run", str(recipe), PREFECT_API_URL=prefect_url, AWS_ENDPOINT_URL=proxy.url)

    assert result.returncode == 0, result.stderr
    assert set(proxy.failed) == set(FAILURES)
    assert proxy.failed.total() > 0.15 * (proxy.failed.total() + proxy.passed)

    copy = tmp_path / "copy"
    files, root = fsspec.url_to_fs(s3_url, use_listings_cache=False)
    files.get(root, str(copy), recursive=True)
    assert set(manifests(copy)) == set(manifests(finished.store))
    assert data_bytes(manifests(copy)) == data_bytes(manifests(finished.store))

    flow_run = re.findall(r"flow-run/(\S+)", result.stdout)[0]
    runs = call(f"{prefect_url}/task_runs/filter", {"flow_runs": {"id": {"any_": [flow_run]}}})
    assert {run["state_name"] for run in runs} == {"Completed"}
    retried = [run for run in runs if run["run_count"] > 1]
    assert retried
    states = call(f"{prefect_url}/task_run_states/?task_run_id={retried[0]['id']}")
    assert {"AwaitingRetry", "Retrying"} & {state["name"] for state in states}
    logs = call(f"{prefect_url}/logs/filter", {"logs": {"flow_run_id": {"any_": [flow_run]}}})
    causes = [log["message"] for log in logs if "Retry 1/2" in log["message"]]
    assert causes and all("not reachable" in cause for cause in causes)
