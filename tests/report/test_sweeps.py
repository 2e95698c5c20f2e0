"""The chapter on sweeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuner.recipe import Recipe
from tuner.report import sweeps
from tuner.report.contents import Contents, gather
from tuner.report.verdict import judge
from tuner.report.wording import ABSENT
from tuner.report.write import report
from tuner.training.metrics import Swept, Trial

from .conftest import Build, manifest, trained

REASON = (
    "behind: its loss of 1.9000 after 12% of the training is at least 0.0100 above the 1.8 that trial 2 had after 8%"
)


def trial(rate: float, loss: float | None, share: float = 1.0, stopped: str | None = None) -> Trial:
    curve = ((share / 2, 2.0), (share, loss)) if loss is not None else ()
    settings = {"learning_rate": rate, "targets": ("q_proj", "v_proj")}
    tokens = round(1000 * share)
    return Trial(settings=settings, share=share, loss=loss, curve=curve, tokens=tokens, seconds=30.0, stopped=stopped)


SWEPT = Swept(
    trials=(
        trial(1e-5, 1.9, 0.125, REASON),
        trial(1e-3, 1.5),
        trial(3e-4, 1.6),
        trial(1.0, None, 0.0625, "diverged: its loss was not finite after 6% of the training"),
    ),
    winner=1,
)


def swept(recipe: Recipe, **adapter: Any) -> Recipe:
    plain = recipe.model_dump(mode="json")
    plain["training"]["lora"] |= {"sweep": {"learning_rate": [1e-5, 1e-3, 3e-4, 1.0]}, **adapter}
    return Recipe.model_validate(plain)


@pytest.fixture
def contents(build: Build) -> Contents:
    return gather(inputs_of(build))


def inputs_of(build: Build) -> Any:
    inputs = build()
    metrics = trained("lora", 2_442_240, 91.3, 1.402).model_copy(update={"swept": SWEPT})
    training = {**inputs.training, "lora": manifest("train", 41, metrics, 99.0)}
    return replace(inputs, recipe=swept(inputs.recipe), training=training)


def test_it_says_what_was_tried_and_what_it_came_to(contents: Contents) -> None:
    (chapter,) = sweeps.chapters(contents)
    assert chapter.lines == [
        "4 trials of lora on 2,187 tokens took 2.0 min. Trial 2 (learning_rate 0.001, targets q_proj + v_proj) has the "
        "lowest loss on the rows to choose by, 1.5000, and is the adapter that is compared. The highest of those "
        "trained to the end is 1.6000.",
        "1 trial was stopped, which saved 29.2 % of the tokens that 3 whole trainings take.",
        "1 trial diverged.",
    ]
    assert [(row.number, row.won) for row in chapter.rows] == [(2, True), (3, False), (1, False), (4, False)]
    assert [row.end for row in chapter.rows[:3]] == ["", "", REASON]
    assert (chapter.rows[3].trained, chapter.rows[3].loss) == ("6.25 %", ABSENT)


def test_an_adapter_without_a_sweep_beside_one_is_called_unfair(contents: Contents) -> None:
    assert sweeps.unequal(contents).startswith(
        "lora was chosen among several trials, prompt_tuning was trained as the recipe says"
    )
    alone = Recipe.model_validate(
        contents.recipe.model_dump(mode="json") | {"training": {"lora": contents.recipe.training["lora"]}}
    )
    assert sweeps.unequal(replace(contents, recipe=alone)) == ""


def test_a_report_without_sweeps_has_no_such_chapter(build: Build) -> None:
    assert sweeps.chapters(gather(build())) == [] and sweeps.unequal(gather(build())) == ""


def test_the_page_shows_the_trials_and_their_curves(build: Build, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    report(inputs_of(build), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert '<a href="#sweeps">' in page and REASON in page
    assert (tmp_path / "report" / "figures" / "sweeps.png").stat().st_size > 5000


def test_seeds_are_named_in_the_verdict(build: Build) -> None:
    contents = gather(build())
    plain = contents.recipe.model_dump(mode="json")
    plain["training"]["lora"]["seeds"] = 3
    repeated = replace(contents, recipe=Recipe.model_validate(plain))
    assert "The trainings of lora differ in their seeds alone; each is compared for itself." in judge(repeated).lines[0]
