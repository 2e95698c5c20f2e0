"""The Prefect UI of `tuner up` as a user sees it in Debian's chromium, from the form to the report.

`make screenshots` does the same with a small quickstart and keeps the pictures for the docs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from flows.form import recipe_from_form
from tests.deployments.processes import until
from tests.e2e.conftest import Tuner
from tests.e2e.up.conftest import Up
from tests.e2e.up.person import ANSWER_SECONDS, CHROMIUM, RUN_SECONDS, Person, chromium
from tests.trainings import trainings
from tuner.registry import run_name

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")]


@dataclass(frozen=True)
class Story:
    """The values of the form and the run that they describe.

    Attributes:
        fields: Values of the form's fields.
        recipe: The recipe's name.
        adapters: The adapters with their sizes.
    """

    fields: dict[str, str]
    recipe: str
    adapters: str

    @property
    def run(self) -> str:
        """The name of the run in the store."""
        numbers = {key: float(value) for key, value in self.fields.items() if key in ("rows", "seed", "epochs")}
        values: dict[str, Any] = {key: int(value) if value.is_integer() else value for key, value in numbers.items()}
        return run_name(recipe_from_form(self.recipe, self.fields.get("recipe_yaml", ""), **values))


@pytest.fixture
def pictures(pytestconfig: pytest.Config) -> Path | None:
    folder = pytestconfig.getoption("--screenshots")
    return Path(folder) if folder else None


@pytest.fixture
def story(one_adapter: Path, pictures: Path | None) -> Story:
    if pictures:
        return Story(
            {"recipe": "quickstart", "rows": "48", "epochs": "1"}, "quickstart", "lora r8, prompt_tuning 20 tokens"
        )
    text = one_adapter.read_text().replace("name: words", "name: browsed")
    return Story({"recipe_yaml": text, "rows": "24", "seed": "23", "epochs": "20"}, "browsed", "lora r2")


@pytest.fixture
def person(up: Up, pictures: Path | None) -> Iterator[Person]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(ANSWER_SECONDS * 1000)
        expect.set_options(timeout=ANSWER_SECONDS * 1000)
        yield Person(page, up.url.removesuffix("/api"), pictures)


def kill_training(home: Path, earlier: set[Path]) -> None:
    """Kills the training process as soon as it has completed a checkpoint besides the earlier ones."""
    until(lambda: checkpoints(home) - earlier, "a training writes a checkpoint", RUN_SECONDS)
    for process in trainings(home):
        process.kill()


def checkpoints(home: Path) -> set[Path]:
    """The complete checkpoints of running and interrupted trainings."""
    return set(home.glob("checkpoints/*/checkpoint-*/complete.json"))


def test_from_the_form_to_the_report(person: Person, story: Story, up: Up) -> None:
    page = person.page
    run = f"{story.run}: {story.adapters}"

    person.open_form("pipeline")
    person.fill(story.fields)
    person.field("plan_only").click()
    person.submit()
    person.open_run(f"{story.run}: plan", "Completed")
    person.open_artifact("plan")
    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_text(["stage", "cached", "missing", "why", "minutes"])
    expect(table.get_by_role("row").filter(has_text="train")).to_contain_text("never made in this store")
    person.picture("plan")

    person.open_form("pipeline")
    person.fill(story.fields)
    person.picture("form")
    earlier = checkpoints(up.home)
    person.submit()
    kill_training(up.home, earlier)
    person.open_run(run, "Completed")
    person.picture("run")

    person.open_task("train lora")
    expect(person.detail("Run Count")).to_have_text("2")
    retry = page.get_by_role("log").get_by_role("listitem").filter(has_text="Retry 1 of 2 in 5 s")
    expect(retry).to_contain_text("WARNING")
    expect(retry).to_contain_text("training.lora was killed by SIGKILL")
    expect(page.get_by_role("log")).not_to_contain_text("Traceback")
    person.picture("retry")

    page.get_by_role("link", name=run).first.click()
    person.open_artifact("figure-model-comparison")
    figure = page.get_by_role("tabpanel").get_by_role("img")
    expect(figure).to_be_visible()
    assert figure.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    person.picture("figure")

    page.get_by_role("link", name=run).first.click()
    person.open_artifact("report")
    person.picture("verdict")
    page.get_by_role("link", name="Open the report").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(story.recipe)
    expect(page.get_by_role("region", name="Verdict")).to_contain_text("held-out loss")

    person.open_form("pipeline")
    person.fill(story.fields)
    person.submit()
    person.open_run(run, "Completed", number=2)
    page.get_by_role("tab", name="Task Runs").click()
    expect(page.get_by_role("tabpanel", name="Task Runs")).to_contain_text("Cached")
    person.picture("cached")
    person.open_task("train lora")
    expect(page.get_by_role("log")).to_contain_text("Finished in state Cached")


def test_invalid_values_are_refused(person: Person, recipe: Path, tuner: Tuner) -> None:
    page = person.page
    person.open_form("pipeline")
    for name, wrong, right in (("rows", "0", "24"), ("quality", "1.5", "0.55")):
        field = person.field(name)
        field.fill(wrong)
        page.get_by_role("button", name="Submit").click()
        expect(field).to_be_focused()
        assert not field.evaluate("field => field.checkValidity()"), f"{name} {wrong}"
        field.fill(right)
        assert field.evaluate("field => field.checkValidity()"), f"{name} {right}"
    person.field("epochs").fill("0")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("main")).to_contain_text("0 is less than or equal to the minimum of 0")

    wrong = "training.lora.lerning_rate=1"
    message = tuner("run", str(recipe), "--set", wrong).stderr.strip()
    line = message.removeprefix(f"tuner: {recipe}: ")
    assert line.startswith("training.lora.lerning_rate: ")
    person.open_form("pipeline")
    person.fill({"recipe_yaml": recipe.read_text()}, [wrong])
    person.submit()
    person.open_run("refused", "Failed")
    page.get_by_role("tab", name="Details").click()
    expect(person.detail("State Message")).to_contain_text(line)
