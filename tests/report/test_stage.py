"""The stage `report`: the page, its figures and its data."""

import copy
import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.hollow import hollow
from tuner.curation.metrics import Diversity
from tuner.recipe import Recipe
from tuner.report import browser
from tuner.report.contents import gather
from tuner.report.figures import FIGURES, panels_of
from tuner.report.page import render
from tuner.report.verdict import judge
from tuner.report.write import report
from tuner.splitting.metrics import TuningChecks

from .conftest import MEASURED
from .curated_rows import FIRST_REASONS, HOSTILE, KEPT, MATHS, ROWS, rows, table


class Page(HTMLParser):
    """A parsed page: elements with attributes, and the text of scripts apart from other text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.scripts, self._inside = [], [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text.append(data)


def read(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(built):
    return read(built[0])


@pytest.fixture
def make_page(build, tmp_path):
    """A function that makes a report with the arguments of `build` and changed metrics, and returns its page."""

    def make(change=lambda inputs: None, **arguments):
        inputs = build(**arguments)
        change(inputs)
        folder = tmp_path / "report"
        folder.mkdir()
        report(inputs, folder)
        return read(folder)

    return make


def words(page):
    return re.sub(r"\s+", " ", " ".join(page.text))


def test_the_metrics_are_the_verdict_in_the_json(built):
    folder, metrics = built
    data = json.loads((folder / "comparison.json").read_text())
    assert metrics.model_dump(mode="json") == {"verdict": data["verdict"], "winner": "lora"}
    assert len(metrics.verdict) == 3


def test_the_page_loads_nothing(page, built):
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster"):
                assert value.startswith(("#", "data:")), (tag, name, value)
    html = (built[0] / "report.html").read_text()
    assert not re.search(r"https?://|@import|url\((?!#)", html)


def test_generated_text_is_never_markup(page):
    assert len(page.scripts) == 2
    assert not [attributes for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert words(page).count("<script>alert(1)</script>") == 4  # the instruction, and three completions
    shown = json.loads(page.scripts[0])["rows"]
    assert {HOSTILE, MATHS} <= {row["instruction"] for row in shown}
    assert "<" not in page.scripts[0]
    assert "innerHTML" not in page.scripts[1]


def test_generated_text_is_never_markup_in_clusters_and_openings(make_page, monkeypatch):
    monkeypatch.setattr(browser, "MOST_ROWS", 20)
    hostile = [row | ({"instruction": HOSTILE} if row["cluster"] == "42-0-1" else {}) for row in rows()]

    def opening(inputs):
        inputs.curate.metrics["diversity"]["openings"] = {"<script>alert(1)</script>": 1.0}

    page = make_page(opening, rows=table(hostile))
    assert len(page.scripts) == 2
    assert words(page).count("<script>alert(1)</script>") == 4 + 3 + 1 + 6
    # That is: the winner, two losers, the opening, and the examples of the reasons.
    shown = json.loads(page.scripts[0])["rows"]
    assert 20 <= len(shown) < 50
    assert f"{len(shown)} of {ROWS} rows can be read here: a sample spread evenly" in words(page)
    assert {row["twin"] for row in shown if "twin" in row} <= {row["id"] for row in shown}


def test_counts_on_the_page_add_up(page):
    text = words(page)
    assert f"Of {ROWS} rows {KEPT} were kept and {ROWS - KEPT} rejected" in text
    assert sum(FIRST_REASONS.values()) + KEPT == ROWS
    assert f"{ROWS} of {ROWS} rows can be read here" in text
    assert len(json.loads(page.scripts[0])["rows"]) == ROWS


def test_the_check_of_the_split_is_shown(page):
    assert "leaks found by the check 0" in words(page)
    assert "the instruction of no held-out row equals a training instruction" in words(page)


def test_rows_to_choose_by_are_counted_where_there_are_any(build, page):
    contents = gather(build())
    check = contents.split.check
    split = contents.split.model_copy(
        update={"tuning": 5, "tuning_checks": TuningChecks(training=check, validation=check)}
    )
    text = words(Page(render(tuned := dataclasses.replace(contents, split=split), judge(tuned))))
    assert "to choose by 5 held out" in text
    assert "no held-out row equals a tuning instruction" in text
    assert "to choose by" not in words(page)


def test_the_page_says_who_wrote_the_rows(build):
    inputs = build()
    assert "trained on instructions generated by <code>test/generator</code>" in _page(inputs)
    plain = inputs.recipe.model_dump(mode="json")
    plain["models"].pop("generator")
    plain["generation"] = {"sources": {"mine": {"source": "hub", "dataset": "a/b", "rows": 9}}}
    own = dataclasses.replace(inputs, recipe=Recipe.model_validate(plain))
    assert "trained on rows of your own" in _page(own)


def _page(inputs):
    contents = gather(inputs)
    return render(contents, judge(contents))


def test_too_few_held_out_rows_are_reported(build):
    few = copy.deepcopy(MEASURED)
    for subject in few["subjects"].values():
        subject["rows"] = 19
    text = words(Page(render(gather(build(few)), judge(gather(build(few))))))
    assert "Too few rows to say: 19 rows held out; at least 20 are needed." in text
    assert "Nothing here is called better or worse: 19 rows are held out; at least 20 are needed." in text
    assert "winner" not in text


def test_long_texts_are_cut_with_a_notice(page):
    assert "[…cut here, 1,000 more characters]" in words(page)


def test_every_panel_is_drawn_inline_and_labelled(page, build):
    labels = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    panels = [panel.title for panels in panels_of(gather(build())).values() for panel in panels]
    assert sorted(labels) == sorted(panels)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_link_within_the_page_leads_somewhere(page):
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {link.removeprefix("#") for link in links} <= ids


def test_every_row_that_is_linked_to_is_on_the_page(page):
    named = {attributes["data-row"] for _, attributes in page.elements if "data-row" in attributes}
    assert 3 < len(named) <= 3 + 3 * (len(FIRST_REASONS) + 1)
    assert named <= {row["id"] for row in json.loads(page.scripts[0])["rows"]}


def test_every_figure_is_a_png(built):
    for name in [*FIGURES, "score_distributions"]:
        assert (built[0] / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_two_builds_give_equal_bytes(build, built, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    report(build(), again)
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) == 3 + len(FIGURES) + 1
    assert all((again / file).read_bytes() == (built[0] / file).read_bytes() for file in files)


@pytest.mark.filterwarnings("error")
def test_a_report_needs_no_intervals_speeds_or_rejections(make_page):
    kept = [
        row | {"verdict": "kept", "reasons": [], "marks": [], "cluster": row["row_id"], "duplicate_of": None}
        for row in rows()
    ]

    def reduce(inputs):
        measured = inputs.evaluate.metrics
        measured["speed"] = []
        for entry in [*measured["subjects"].values(), *measured["differences"]]:
            entry.update(low=None, high=None)

    text = words(make_page(reduce, adapters=("lora",), rows=table(kept)))
    assert "no check rejected anything" in text
    assert "No duplicates were found." in text


@pytest.mark.filterwarnings("error")
def test_a_report_needs_no_scores_or_diversity(make_page):
    bare = ["row_id", "instruction", "response", "verdict", "reasons"]

    def reduce(inputs):
        inputs.curate.metrics["diversity"] = hollow(Diversity).model_dump(mode="json")

    page = make_page(reduce, rows=table(rows()).select(bare))
    assert "Quality score: the rows have no column quality." in words(page)
    assert "Diversity was not measured" in words(page)
    assert len(json.loads(page.scripts[0])["rows"]) == ROWS


def test_importing_the_stage_loads_no_heavy_libraries():
    heavy = ["matplotlib", "pyarrow", "polars", "jinja2", "numpy", "prefect"]
    code = f"import sys, tuner.report.write; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
