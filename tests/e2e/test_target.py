"""A run draws until so many rows are kept, also if it is killed; the same command goes on where a limit ended it."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.deployments.processes import kill, until
from tests.e2e.conftest import Begin, Tuner, manifests

pytestmark = pytest.mark.e2e

SHARDS = "shard_rows: 6, instruction: {max_tokens: 250}, response: {max_tokens: 250}"


def generated(store: Path) -> dict[str, str]:
    """The attempt that made each shard."""
    return {key[1]: each["attempt"] for key, each in manifests(store).items() if key[0] == "generate"}


def record(store: Path) -> dict:
    (path,) = (store / "runs").glob("*/run.json")
    return json.loads(path.read_text())


def rows(store: Path) -> int:
    return sum(batch["rows"] for batch in record(store)["recipe"]["generation"]["drawn"]["magpie"])


def test_a_killed_run_goes_on_and_draws_no_shard_twice(
    one_adapter: Path, tmp_path: Path, begin: Begin, tuner: Tuner, prefect_url: str
) -> None:
    store = tmp_path / "store"
    command = ("run", str(one_adapter), "--set", f"generation={{kept: 16, {SHARDS}}}", "--until", "split")
    process = begin(*command, PREFECT_API_URL=prefect_url)
    until(lambda: len(generated(store)) >= 2 or process.poll() is not None, "two shards")
    kill(process)
    before = generated(store)
    assert len(before) >= 2

    done = tuner(*command, PREFECT_API_URL=prefect_url)
    assert done.returncode == 0, done.stderr
    after = generated(store)
    assert before.items() <= after.items()
    kept = int(done.stdout.partition("target    ")[2].split()[0])
    assert 16 <= kept <= rows(store) and f"target    {kept} of 16 rows kept" in done.stdout
    assert record(store)["state"] == "completed"

    again = tuner(*command, PREFECT_API_URL=prefect_url)
    assert again.returncode == 0 and generated(store) == after


def test_a_limit_ends_a_run_and_the_same_command_goes_on(
    one_adapter: Path, tmp_path: Path, tuner: Tuner, prefect_url: str
) -> None:
    store = tmp_path / "store"
    limited = f"generation={{kept: 16, at_most: {{rows: 8}}, {SHARDS}}}"
    command = ("run", str(one_adapter), "--set", limited, "--until", "curate")
    drawn: list[int] = []
    for _ in range(4):
        done = tuner(*command, PREFECT_API_URL=prefect_url)
        assert done.returncode == 0, done.stderr
        drawn.append(rows(store))
        if "ended by" not in done.stdout:
            break
        assert "ended by at_most.rows: 8; run it again to go on" in done.stdout
    assert drawn[0] == 8 and len(drawn) > 1
    assert all(later - earlier <= 8 for earlier, later in pairwise(drawn))


def test_the_plan_says_what_is_expected(one_adapter: Path, tuner: Tuner, prefect_url: str) -> None:
    settings = ("--set", f"generation={{kept: 30, at_most: {{rows: 12}}, {SHARDS}}}")
    before = tuner("plan", str(one_adapter), *settings)
    assert "30 rows are to be kept; how many that takes is known after the first are curated" in before.stdout
    assert tuner("run", str(one_adapter), *settings, "--until", "curate", PREFECT_API_URL=prefect_url).returncode == 0
    after = tuner("plan", str(one_adapter), *settings, TUNER_PRICE_HOUR="6")
    assert "of 30 rows are kept; the rest is expected to take" in after.stdout and "of money" in after.stdout
