"""The command line as a whole: version, help, completion, recipes and runs."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.commands import app
from tuner import loading
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.registry import planned
from tuner.runs import Run
from tuner.settings import settings

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 10}
training: {lora: {method: lora}}
"""
NAME = "n" * 100
VERDICT = "lora won with a held-out loss of 0.984: −0.025 against prompt_tuning (95 % interval −0.04 to −0.01)."


def tuner(*arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(app, arguments, env=environment, prog_name="tuner", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def ran() -> Callable[..., Run]:
    """A function that makes a run with a verdict or an error."""
    store = Store(settings().store)

    def make(name: str, error: str | None = None, seed: int = 1) -> Run:
        recipe = loading.parse(RECIPE, [f"seed={seed}"])
        run = Run.start(store, recipe, name, "report")
        if not error:
            spec = planned(recipe).one("report")
            store.build(spec, lambda folder: {"verdict": [VERDICT, "It cost little."], "winner": "lora"})
            run.note(spec, "made")
        run.end("failed" if error else "completed", error)
        return run

    return make


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = {"numpy", "polars", "prefect", "pyarrow", "s3fs", "torch", "transformers"}
    code = f"import sys, cli.commands; print(*sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert tuner("--version") == f"tuner {project['version']}\n"


@pytest.mark.parametrize("command", [(), ("run",), ("adapters",), ("models",), ("models", "fetch")])
def test_h_is_help(command: tuple[str, ...]) -> None:
    assert tuner(*command, "-h") == tuner(*command, "--help")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tuner reci", ["recipes"]),
        ("tuner plan qu", ["quickstart"]),
        ("tuner recipes ", ["fair", "gemma", "original", "original-dpo", "quickstart"]),
        ("tuner run quickstart --until tr", ["trial", "train"]),
    ],
)
def test_the_shell_completes(words: str, expected: list[str]) -> None:
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    assert tuner(_TUNER_COMPLETE="complete_bash", **environment).split() == expected


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in tuner("--help")


def test_recipes_are_listed_with_their_requirements() -> None:
    lines = tuner("recipes").splitlines()
    assert [line.split()[0] for line in lines[1:]] == loading.shipped()
    original = next(line for line in lines if line.startswith("original"))
    assert "meta-llama/Llama-3.1-8B-Instruct from the Hugging Face hub" in original
    assert original.rstrip().endswith("the extra `quantization`: pip install '.[quantization]'")


@pytest.mark.parametrize("name", loading.shipped())
def test_a_printed_recipe_lists_its_requirements_and_parses(name: str) -> None:
    text = tuner("recipes", name)
    assert text.startswith("# needs ")
    assert loading.parse(text) == loading.load(name)


def test_a_recipe_is_printed_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE)
    lines = tuner("recipes", str(tmp_path / "mine.yaml")).splitlines()
    assert [line.split()[2] for line in lines[:2]] == ["owner/chat", "owner/base"]
    assert lines[2:] == RECIPE.splitlines()


def test_runs_are_listed_with_verdict_or_error(ran: Callable[..., Run]) -> None:
    ran(NAME)
    ran("second", "train lora: [Errno 28] No space left on device", seed=2)
    head, first, second = (re.split(" {2,}", line.strip()) for line in tuner("runs").splitlines())
    assert head == ["run", "state", "started (UTC)", "took", "verdict, or why it failed"]
    assert (first[0], first[1], first[-1]) == (NAME, "completed", VERDICT)
    assert (second[1], second[-1]) == ("failed", "train lora: [Errno 28] No space left on device")
    completed, failed = json.loads(tuner("runs", "--json"))
    assert (completed["outcome"], failed["outcome"]) == (VERDICT, failed["error"])
    assert completed["seconds"] >= 0
    assert tuner("adapters").splitlines()[1:] == [f"{NAME}: {VERDICT}", f"second: {failed['error']}"]


def test_a_failed_run_is_shown_with_its_error_first(ran: Callable[..., Run]) -> None:
    ran("second", "train lora: out of memory")
    assert tuner("show", "second").splitlines()[0] == "failed: train lora: out of memory"


@pytest.mark.parametrize("command", [("show",), ("report",), ("export", "--to", "place")])
def test_a_run_of_another_version_is_reported_as_such(ran: Callable[..., Run], command: tuple[str, ...]) -> None:
    run = ran("old")
    run.record["recipe"]["evaluation"]["former"] = 10_000
    run.store.write_run("old", run.record)
    name, *rest = command
    with pytest.raises(
        InputError, match=r"^run old: its recipe was written by another version of this program \(evaluation.former: "
    ):
        CliRunner().invoke(app, [name, "old", *rest], catch_exceptions=False)
    assert tuner("runs").splitlines()[1].startswith("old")


def test_a_plan_gives_reasons(ran: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RECIPE)
    lines = tuner("plan", str(tmp_path / "mine.yaml")).splitlines()
    assert [line.split() for line in lines[1:3]] == [
        [stage, "missing", "never", "made", "in", "this", "store"] for stage in ("generate", "examine")
    ]


def test_a_verbose_command_shows_the_stack_trace(tmp_path: Path) -> None:
    def errors(*options: str) -> str:
        command = [sys.executable, "-c", "from cli.commands import main; main()", *options, "plan", "nowhere.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TUNER_HOME": str(tmp_path)})
        assert done.returncode == 2
        return done.stderr

    assert errors().count("\n") == 1
    assert errors("-v").startswith("Traceback (most recent call last):")
    assert errors("-v").endswith(errors())
