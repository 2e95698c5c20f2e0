"""Invalid input gives one line that says what would be right, and exit code 2."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployments.processes import PATIENCE
from tests.e2e.conftest import MAIN, Tuner, manifests
from tuner import loading, planning, suitability
from tuner.artifacts.store import Store
from tuner.settings import settings

pytestmark = pytest.mark.e2e


def refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Checks for exit code 2 and a single line on standard error with these words."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 2, result.stderr
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


def test_a_misspelt_key(recipe: Path, tuner: Tuner) -> None:
    refused(tuner("run", str(recipe), "--set", "training.lora.lerning_rate=1"), "training.lora.lerning_rate", "did you")


def test_a_missing_recipe(tuner: Tuner) -> None:
    refused(tuner("run", "nowhere.yaml"), "nowhere.yaml", "quickstart")


def test_a_name_that_is_a_path(recipe: Path, tuner: Tuner) -> None:
    refused(tuner("run", str(recipe), "--name", "../x"), "../x")


def test_an_unknown_stage(recipe: Path, tuner: Tuner) -> None:
    refused(tuner("run", str(recipe), "--until", "trian"), "trian", "train")


def test_a_store_that_cannot_be_written(recipe: Path, tuner: Tuner, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tuner("run", str(recipe), TUNER_STORE=str(tmp_path / "file" / "store")), "store", "TUNER_STORE")


def test_wrong_credentials(recipe: Path, tuner: Tuner, refusing_s3: str) -> None:
    refused(tuner("run", str(recipe), TUNER_STORE="s3://bucket/prefix"), "access refused", "AWS_SECRET_ACCESS_KEY")


def test_a_full_disk_keeps_complete_artifacts(
    recipe: Path, tuner: Tuner, prefect_url: str, tmpfs: Callable[[str], Path | None]
) -> None:
    disk = tmpfs("90k")
    if disk is None:
        pytest.skip("a full file system needs permission to mount one")
    environment = {"PREFECT_API_URL": prefect_url, "TUNER_STORE": str(disk / "store")}

    command = ("run", str(recipe), "--until", "split")
    refused(tuner(*command, **environment), "the disk is full", "same command")

    complete = manifests(disk / "store")
    assert complete
    tmpfs("50m")
    finished = tuner(*command, **environment)
    assert finished.returncode == 0, finished.stderr
    after = manifests(disk / "store")
    assert all(after[key]["attempt"] == manifest["attempt"] for key, manifest in complete.items())


def test_a_prefect_server_that_is_configured_but_does_not_run(recipe: Path, tuner: Tuner) -> None:
    refused(tuner("run", str(recipe), PREFECT_API_URL="http://127.0.0.1:9/api"), "PREFECT_API_URL", "127.0.0.1:9")


def test_a_temporary_server_that_does_not_start(recipe: Path, tuner: Tuner) -> None:
    result = tuner("run", str(recipe), PREFECT_SERVER_DATABASE_CONNECTION_URL="sqlite+aiosqlite:////no/such/folder.db")
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "did not start" in result.stderr
    listed = json.loads(tuner("runs", "--json").stdout)
    assert [run["state"] for run in listed] == ["failed"]


@pytest.fixture
def own_model(recipe: Path, word_model: Path, tmp_path: Path) -> Path:
    """A copy of the model; the recipe is changed to use it."""
    copy = tmp_path / "model"
    shutil.copytree(word_model, copy)
    recipe.write_text(recipe.read_text().replace(str(word_model), str(copy)))
    return copy


def test_a_generator_without_a_chat_template(recipe: Path, tuner: Tuner, own_model: Path, prefect_url: str) -> None:
    (own_model / "chat_template.jinja").unlink()
    refused(tuner("run", str(recipe), "--until", "generate", PREFECT_API_URL=prefect_url), "chat template")


def test_a_damaged_model_file(recipe: Path, tuner: Tuner, own_model: Path, prefect_url: str) -> None:
    weights = own_model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(tuner("run", str(recipe), "--until", "generate", PREFECT_API_URL=prefect_url), "cannot be loaded")


def test_too_few_kept_rows_are_reported_with_the_reasons(recipe: Path, tuner: Tuner, prefect_url: str) -> None:
    result = tuner("run", str(recipe), "--set", "curation.quality.minimum=1.0", PREFECT_API_URL=prefect_url)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert "low_quality" in result.stderr


SLOW = ("torch", "transformers", "peft", "trl", "datasets", "prefect", "matplotlib")


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "RECIPE"], ["runs"], ["run", "RECIPE", "--set", "seed=x"]])
def test_a_quick_command_imports_no_slow_library(arguments: list[str], recipe: Path) -> None:
    if "plan" in arguments:
        # A first plan looks at the models.
        parsed = loading.load(str(recipe))
        suitability.check(parsed, planning.plan(parsed, Store(settings().store)))
    code = f"import atexit, sys; atexit.register(lambda: print([*sys.modules.keys() & {set(SLOW)}])); {MAIN}"
    command = [sys.executable, "-c", code, *(str(recipe) if each == "RECIPE" else each for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == (2 if "--set" in arguments else 0), done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
