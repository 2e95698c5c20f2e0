"""The terminal output: the progress of each step, and the summary at the end."""

import io
from pathlib import Path

from rich.console import Console

from tests.hollow import hollow
from tuner.curation.checks.safety import Safety
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.owndata.metrics import CuratedFile, SourceFile
from tuner.owndata.view import summary, watching
from tuner.progress import Event, emit

METRICS = hollow(
    CuratedFile,
    rows=1_234_567,
    kept=1_000_000,
    funnel={**dict.fromkeys(REASONS, 0), "short_response": 34_567, "near_duplicate": 200_000},
    source=hollow(SourceFile, file="mine.jsonl", kind="instruction, response"),
    set_aside={"not valid JSON": 3, "response is missing, not text": 1},
    seconds={"all": 120.04},
    rows_per_second=10_288.1,
)


def test_the_summary_counts_rows_by_reason_and_names_the_output():
    printed = summary(METRICS, Curation(), Path("out"))
    for words in (
        "rows              1,234,567  from mine.jsonl, taken as instruction, response",
        f"short_response      -34,567  {REASONS['short_response']}",
        f"near_duplicate     -200,000  {REASONS['near_duplicate']}",
        "kept              1,000,000  81.0%",
        "4 more set aside, not curated; of 3: not valid JSON",
        "120.0 s, 10,288 rows/s",
        "out/kept",
        "out/README.md",
    ):
        assert words in printed
    assert "toxic" not in printed
    assert "set aside" not in summary(METRICS.model_copy(update={"set_aside": {}}), Curation(), Path("out"))


def test_the_summary_says_what_was_masked():
    metrics = METRICS.model_copy(update={"marks": {"toxic": 1, "personal_data": 1_234}})
    assert "masked     personal data in 1,234 rows; curation.safety" in summary(metrics, Curation(), Path("out"))
    both = Curation(safety=Safety(toxicity="redact"))
    words = "masked     slurs, threats and the like in 1 row and personal data in 1,234 rows; "
    assert words in summary(metrics, both, Path("out"))
    neither = Curation(safety=Safety(personal_data="mark"))
    assert "masked" not in summary(metrics, neither, Path("out"))


def play():
    for done in range(1, 11):
        emit(Event("read", done=done * 100, total=1000))
        emit(Event("examine", figures={"rows": 100, "rows/s": 9.0}))
    emit(Event("generate", done=1, total=1))
    emit(Event("match", done=1, total=1))
    emit(Event("curate", done=1, total=1))


def test_without_a_terminal_each_step_prints_a_few_lines():
    text = io.StringIO()
    with watching(Console(file=text)):
        play()
    printed = text.getvalue().splitlines()
    assert printed.count("read 1,000 of 1,000 rows") == 1
    assert printed.count("examine 1,000 of 1,000 rows") == 1
    assert printed[-2:] == ["match 1 of 1 parts", "curate 1 of 1 shards"]
    assert len(printed) == 10


def test_a_terminal_shows_bars():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, color_system=None)
    with watching(console):
        play()
    assert "1000/1000" in text.getvalue()
    assert "generate" not in text.getvalue()
