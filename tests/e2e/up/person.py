"""A user of the Prefect UI in a real browser: fills in forms, opens runs and their artifacts, takes pictures."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")

ANSWER_SECONDS = 60
"""Timeout of the UI, whose server shares two cores with the runs."""

RUN_SECONDS = 1800
"""Timeout of a run, which may use a real model on two busy cores."""


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    with sync_playwright() as driver:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # it does not start as root with a sandbox
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*sandbox, *arguments])
        yield browser
        browser.close()


class Person:
    """Navigates from the UI's first page by links and buttons.

    Args:
        page: An empty page of the browser.
        url: The UI's first page.
        pictures: The folder for pictures, or None for no pictures.
    """

    def __init__(self, page: Page, url: str, pictures: Path | None) -> None:
        self.page = page
        self.url = url
        self.pictures = pictures

    def open_form(self, deployment: str) -> None:
        """Goes to a deployment's form: Deployments, its name, Run, Custom run."""
        self.page.goto(self.url)
        self.page.get_by_role("link", name="Deployments").click()
        self.page.get_by_placeholder("Search deployments").fill(deployment)  # a page shows ten of them
        # The search becomes part of the address a moment later, which would undo a click before that.
        expect(self.page).to_have_url(re.compile(f"flowOrDeploymentName={deployment}"))
        self.page.get_by_role("link", name=deployment, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_text("Custom run").click()

    def field(self, name: str) -> Locator:
        """A field of the form."""
        return self.page.get_by_label(f"{name} (Optional)", exact=True)

    def fill(self, fields: Mapping[str, str], overrides: Sequence[str] = ()) -> None:
        """Fills in fields; `recipe` is chosen from its list."""
        for name, value in fields.items():
            if name == "recipe":
                self.page.get_by_label("Select recipe").click()
                self.page.get_by_role("option", name=value).click()
            else:
                self.field(name).fill(value)
        for override in overrides:
            self.page.get_by_role("button", name="Add item").click()
            self.page.get_by_role("group").filter(has=self.page.get_by_role("button", name="Add item")).get_by_role(
                "textbox"
            ).last.fill(override)

    def submit(self) -> None:
        """Presses Submit; the UI then shows the runs."""
        self.page.get_by_role("button", name="Submit").click()
        expect(self.page.get_by_role("tabpanel", name="Runs")).to_be_visible()

    def open_run(self, name: str, state: str, number: int = 1) -> None:
        """Waits until the deployment has `number` runs of a name and the newest is in a state; opens that one.

        It waits on the list of runs, since the graph on the page of a running run takes half of a core.
        """
        link = self.page.get_by_role("link", name=name, exact=True)
        runs = self.page.get_by_role("tabpanel", name="Runs").get_by_role("listitem").filter(has=link)
        runs = runs.filter(has=self.page.get_by_role("checkbox"))
        expect(runs).to_have_count(number, timeout=RUN_SECONDS * 1000)
        expect(runs.first).to_contain_text(state, timeout=RUN_SECONDS * 1000)
        runs.first.get_by_role("link", name=name, exact=True).click()
        expect(self.page.get_by_role("main").get_by_text(state, exact=True).first).to_be_visible()

    def open_task(self, name: str) -> None:
        """Opens a task of the run."""
        self.page.get_by_role("tab", name="Task Runs").click()
        self.page.get_by_role("tabpanel", name="Task Runs").get_by_role("link", name=name, exact=True).click()

    def open_artifact(self, key: str) -> None:
        """Opens the run's artifact of a key: the newest, which the UI lists first."""
        expect(
            self.page.get_by_role("tab", name="Task Runs")
        ).to_be_visible()  # the page of the run: a task's page has artifacts too
        self.page.get_by_role("tab", name="Artifacts").click()
        posted = self.page.get_by_role("tabpanel", name="Artifacts")
        posted.get_by_role("link").filter(has=self.page.get_by_role("heading", name=key, exact=True)).click()
        # This page, which has similar links, stays until the next one is loaded.
        expect(posted).to_be_hidden()
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()

    def detail(self, name: str) -> Locator:
        """The value of a term among the details of a page."""
        return self.page.get_by_role("term").filter(has_text=name).locator("xpath=following-sibling::dd[1]")

    def picture(self, name: str) -> None:
        """Takes a picture of the page."""
        if self.pictures:
            self.page.wait_for_timeout(1500)  # animations have ended
            self.page.screenshot(path=self.pictures / f"{name}.png")
