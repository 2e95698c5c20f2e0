"""A run whose first shard is bad stops there, and a later run says so at once."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Tuner, manifests

pytestmark = pytest.mark.e2e

RECIPE = (
    "name: cut\nmodels: {{generator: {tiny}, student: {tiny}}}\n"
    "generation: {{rows: 320, shard_rows: 16, instruction: {{max_tokens: 4}}}}\n"
    "training: {{lora: {{method: lora}}}}\n"
)


def test_a_run_stops_at_a_bad_first_shard(tuner: Tuner, tiny: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "cut.yaml"
    recipe.write_text(RECIPE.format(tiny=tiny))

    first = tuner("run", str(recipe))

    assert first.returncode == 2, first.stderr
    line = first.stderr.strip().splitlines()[-1]
    assert line.startswith("tuner: generation stops at its first shard: ")
    assert "--draw" in line
    assert [stage for stage, _ in manifests(tmp_path / "store")] == ["generate"], "the first shard, which is kept"

    (log,) = (tmp_path / "home" / "prefect").glob("temporary-server.log")
    log.unlink()
    again = tuner("run", str(recipe))
    assert (again.returncode, again.stderr.strip().splitlines()[-1]) == (2, line)
    assert not log.exists(), "it is said before a server is started"
    assert tuner("plan", str(recipe)).returncode == 2

    wanted = tuner("plan", str(recipe), "--set", "curation.ignore=[cut_instruction, empty_instruction]")
    assert wanted.returncode == 0, wanted.stderr
