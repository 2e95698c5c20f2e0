"""Additions as in CONTRIBUTING.md: a check, a method, an engine and a stage, added to a copy of the project and run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import COVERAGE
from tests.e2e.words import RECIPE

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]

FILES = {
    "tuner/curation/checks/loud.py": '''
from typing import ClassVar
from pydantic import Field
from tuner.curation.check import Check, Example

class Loud(Check):
    """How many exclamation marks pass."""
    version: ClassVar = 1
    does: ClassVar = "exclamation marks"
    reasons: ClassVar = {"loud": "the instruction shouts"}
    examples: ClassVar = (Example("Why?", "So."), Example("Why!!", "So.", ("loud",), {"most": 1}))
    most: int = Field(default=0, ge=0)

    def find(self, batch, flags):
        from tuner.curation.columns.batch import Findings
        return Findings({"loud": (batch.instruction.str.count_matches("!", literal=True) > self.most).to_numpy()})
''',
    "tuner/training/methods/hra.py": '''
from typing import ClassVar, Literal
from pydantic import Field
from tuner.training.methods.linear import LinearMethod

class HRA(LinearMethod):
    """HRA (Yuan et al. 2024, arXiv 2405.17484)."""
    merges: ClassVar[bool] = True
    serves_as_lora: ClassVar = "not at all"
    method: Literal["hra"]
    learning_rate: float = Field(default=3e-3, gt=0, lt=100)

    @property
    def size(self) -> str:
        return "reflections"

    def peft_config(self, model, tokenizer_path):
        from peft import HRAConfig
        return HRAConfig(task_type="CAUSAL_LM", r=4, **self.modules(model))
''',
    "tuner/generation/engines/rhyme.py": """
from tuner.generation.engines import Completion, Facts

WORDS = "river stone garden winter summer bread water light house road music letter window forest island".split()

class Rhyme:
    def complete(self, requests, on_tokens):
        while requests:
            request = requests.popleft()
            own = [WORDS[request.seed // 7**place % len(WORDS)] for place in range(12)]
            text = " ".join([*own, "again?" if request.turn == 0 else "as the " + " ".join(reversed(own)) + "."])
            if request.turn == 0 and request.seed % 3 == 0:
                text += "!"
            on_tokens(12)
            yield request, Completion(text.capitalize(), 12, "stop")

    def facts(self):
        return Facts(engine="rhyme", device="none", dtype="none")

    def close(self):
        pass

def open(model, settings):
    return Rhyme()
""",
    "tuner/counting.py": """
from tuner.metrics import Metrics
from tuner.stage import Stage

class Counted(Metrics):
    rows: int

def _parts(parts):
    yield COUNT.part({}, {"rows": parts.of("generate")}, "rows")

def _work(work):
    (work.folder / "rows.txt").write_text(str(sum(each.metrics["rows"] for each in work.manifests("rows"))))
    return Counted(rows=int((work.folder / "rows.txt").read_text()))

COUNT = Stage("count", 1, Counted, _parts, _work, "Counts the generated rows.")
""",
}


def edit(root: Path, file: str, before: str, after: str) -> None:
    text = (root / file).read_text()
    assert text.count(before) == 1, f"{file} has no {before!r}"
    (root / file).write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the additions: their files and their entries."""
    root = tmp_path_factory.mktemp("project")
    for name in ("cli", "configs", "deployments", "docs", "flows", "tasks", "tuner"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in FILES.items():
        (root / file).write_text(text)
    checks = "tuner/curation/settings.py"
    edit(
        root,
        checks,
        "from tuner.curation.checks.form ",
        "from tuner.curation.checks.loud import Loud\nfrom tuner.curation.checks.form ",
    )
    edit(root, checks, "    safety: Safety = Safety()\n", "    loud: Loud = Loud()\n    safety: Safety = Safety()\n")
    methods = "tuner/training/methods/__init__.py"
    edit(root, methods, "import Full\n", "import Full\nfrom tuner.training.methods.hra import HRA\n")
    edit(root, methods, "        *(Lora, RsLora,", "        *(HRA, Lora, RsLora,")
    edit(root, "tuner/generation/engines/__init__.py", '"completions")\n', '"completions", "rhyme")\n')
    registry = "tuner/registry.py"
    edit(root, registry, "from tuner.evaluation", "from tuner.counting import COUNT\nfrom tuner.evaluation")
    edit(root, registry, "(READ, GENERATE, EXAMINE,", "(READ, GENERATE, COUNT, EXAMINE,")
    return root


def python(project: Path, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(project), "TUNER_ENGINE": "rhyme"}
    # The coverage of the copy is not the project's.
    inherited = {name: value for name, value in os.environ.items() if name != COVERAGE}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**inherited, **variables, **environment},
        cwd=project,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def ran(project: Path, word_model: Path, prefect_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run of a recipe that uses all additions, on a real Prefect server."""
    folder = tmp_path_factory.mktemp("ran")
    text = RECIPE.format(model=word_model, adapters="  scaled: {method: hra, epochs: 1, max_length: 64}\n")
    recipe = folder / "words.yaml"
    recipe.write_text(text.replace("name: words", "name: additions"))
    environment = {"TUNER_STORE": str(folder / "store"), "TUNER_HOME": str(folder / "home")}
    command = "from cli.commands import main; main()"
    plan = python(project, command, "plan", str(recipe), "--json", **environment)
    assert plan.returncode == 0, plan.stderr
    done = python(project, command, "run", str(recipe), PREFECT_API_URL=prefect_url, **environment)
    assert done.returncode == 0, done.stderr
    return {"store": folder / "store", "plan": json.loads(plan.stdout), "environment": environment}


def metrics(ran: dict[str, Any], stage: str) -> dict[str, Any]:
    (manifest, *_) = (ran["store"] / "artifacts" / stage).glob("*/manifest.json")
    return json.loads(manifest.read_text())["metrics"]


def test_a_stage_is_planned_and_computed(ran: dict[str, Any]) -> None:
    assert "count" in [stage["stage"] for stage in ran["plan"]["stages"]]
    assert metrics(ran, "count") == {"rows": 24}


def test_an_engine_draws_the_rows_and_is_named(ran: dict[str, Any]) -> None:
    assert metrics(ran, "generate")["engine"] == "rhyme"


def test_a_check_rejects_rows_and_is_in_the_report(ran: dict[str, Any]) -> None:
    assert metrics(ran, "curate")["reasons"]["loud"] > 0
    (report,) = (ran["store"] / "artifacts" / "report").glob("*/*/report.html")
    assert "the instruction shouts" in report.read_text()


def test_a_method_trains_an_adapter_that_is_compared(ran: dict[str, Any]) -> None:
    assert metrics(ran, "train")["method"] == "hra"
    assert "scaled" in metrics(ran, "evaluate")["subjects"]
    assert {each["merged"] for each in metrics(ran, "evaluate")["speed"] if each["subject"] == "scaled"} == {
        False,
        True,
    }


def test_flows_form_and_documentation_include_the_additions(project: Path, tmp_path: Path) -> None:
    code = """
from typing import get_args
from deployments.shipped import listed
from flows.form import StageName
from flows.stages import FLOWS
from tasks.stages import TASKS
import runpy
print("count" in get_args(StageName), "count" in FLOWS, "count" in TASKS)
print([each["entrypoint"] for each in listed() if each["name"] == "count"])
tables = runpy.run_path("docs/tables.py")
print(any("`loud`" in line for line in tables["examples"]()), any("HRA" in line for line in tables["methods"]()))
print(any("count" in line for line in tables["stages"]()))
"""
    done = python(project, code, TUNER_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True True True", "['flows.stages.count']", "True True", "True"]


def test_a_wrong_setting_is_refused_in_a_line_that_names_its_key(project: Path, tmp_path: Path) -> None:
    code = "from tuner import loading; loading.load('quickstart', ['training.lora={method: hra, lerning_rate: 1}'])"
    line = python(project, code, TUNER_HOME=str(tmp_path)).stderr.splitlines()[-1]
    assert "training.lora.lerning_rate" in line, line
