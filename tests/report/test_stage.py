import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tuner.report import browser
from tuner.report.contents import gather
from tuner.report.figures import FIGURES
from tuner.report.stage import report

from .conftest import FUNNEL, HELD_OUT, HOSTILE, KEPT, ROWS


class Page(HTMLParser):
    """Collects what a browser would see: elements with attributes, and the text of scripts apart from the rest."""

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


@pytest.fixture
def built(build, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    metrics = report(build(), folder)
    return folder, metrics


@pytest.fixture
def page(built):
    return Page((built[0] / "report.html").read_text(encoding="utf-8"))


def words(page):
    return re.sub(r"\s+", " ", " ".join(page.text))


def test_it_returns_the_verdict_that_the_json_holds(built):
    folder, metrics = built
    found = json.loads((folder / "comparison.json").read_text())
    assert metrics == {"verdict": found["verdict"], "winner": "lora"}
    assert len(metrics["verdict"]) == 3


def test_the_page_loads_nothing(page, built):
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href", "srcset", "action", "poster"):
                assert value.startswith(("#", "data:")), (tag, name, value)
    html = (built[0] / "report.html").read_text()
    assert not re.search(r"https?://|@import|url\((?!#)", html)


def test_what_a_model_wrote_is_text_and_never_markup(page, built):
    assert len(page.scripts) == 2
    assert not [attributes for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert words(page).count("<script>alert(1)</script>") == 4  # the instruction, and three completions
    rows = json.loads(page.scripts[0])
    assert HOSTILE in {row["instruction"] for row in rows}
    assert "<" not in page.scripts[0]


def test_counts_on_the_page_add_up(page):
    text = words(page)
    assert f"{ROWS} rows were drawn, {KEPT} were kept and {ROWS - KEPT} rejected" in text
    assert sum(FUNNEL.values()) + KEPT == ROWS
    assert f"{ROWS} of {ROWS} rows shown" in text
    assert len(json.loads(page.scripts[0])) == ROWS


def test_few_held_out_rows_are_said_to_widen_the_intervals(page):
    assert f"because only {HELD_OUT} rows are held out" in words(page)


def test_long_texts_are_cut_and_say_so(page):
    assert "[…cut here, 1,000 more characters]" in words(page)


def test_every_panel_is_drawn_inline_and_labelled(page):
    labels = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert sorted(labels) == sorted(panel.title for panels in FIGURES.values() for panel in panels)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_figure_is_a_png(built):
    for name in FIGURES:
        assert (built[0] / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_two_builds_give_equal_bytes(build, built, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    report(build(), again)
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(files) == 3 + len(FIGURES)
    assert all((again / file).read_bytes() == (built[0] / file).read_bytes() for file in files)


@pytest.mark.filterwarnings("error")
def test_one_adapter_without_intervals_speeds_or_rejections_still_makes_a_report(build, tmp_path):
    inputs = build(adapters=("lora",))
    measured = inputs.evaluate.metrics
    measured["speed"] = []
    for entry in [*measured["subjects"].values(), *measured["differences"]]:
        entry.update(low=None, high=None)
    inputs.curate.metrics.update(kept=ROWS, rejected=0, funnel={}, reasons={})
    folder = tmp_path / "report"
    folder.mkdir()
    assert report(inputs, folder)["winner"] == "lora"


def test_the_browser_gives_every_reason_the_same_number_of_places(build, monkeypatch):
    monkeypatch.setattr(browser, "MOST_ROWS", 24)
    rows = browser.chosen_rows(gather(build()))
    groups = {}
    for row in rows:
        groups.setdefault(row["reasons"][0] if row["reasons"] else "kept", []).append(row)
    assert len(rows) == 24
    assert {name: len(found) for name, found in groups.items()} == {
        "repetitive": 3,
        "instruction too short": 4,
        "duplicate": 4,
        "response too short": 4,
        "incomplete": 4,
        "kept": 5,
    }


def test_embedded_json_cannot_end_its_script():
    text = browser.embeddable([HOSTILE, "\u2028", "a & b"])
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == [HOSTILE, "\u2028", "a & b"]


def test_naming_the_stage_loads_nothing_heavy():
    heavy = ["matplotlib", "pyarrow", "jinja2", "numpy", "prefect"]
    code = f"import sys, tuner.report.stage; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
