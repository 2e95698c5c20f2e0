"""What is said of one curated row: every check, what it measured, and what it decided."""

import pytest

from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.owndata.curate import run
from tuner.owndata.explain import explain

from .talk import exchange, lines

SHORT = {"instruction": "Name the longest river of the country.", "response": "The Ypsil."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    to = tmp_path_factory.mktemp("explained")
    rows = [*map(exchange, range(3)), exchange(1), SHORT, "{no"]
    curation = Curation.model_validate({"form": {"response_words": [5, 900]}})
    run(lines(to / "mine.jsonl", rows), curation, to / "out")
    return to / "out"


def line_of(text, *words):
    return next(line for line in text.splitlines() if all(word in line for word in words))


def test_a_rejected_row_has_its_reason_with_the_measured_value_and_the_limit_it_was_curated_under(folder):
    said = explain(folder, "5")
    assert said.startswith("row line-000000005: rejected for short_response")
    assert SHORT["instruction"] in said and SHORT["response"] in said
    line = line_of(said, "rejects", "short_response")
    assert "words of the response: 2, the line is at 5" in line
    assert "curation.form.response_words" in line


def test_all_checks_say_what_they_decided(folder):
    said = explain(folder, "line-000000001")
    assert "kept" in said.splitlines()[0]
    assert "quality score:" in line_of(said, "quality", "passes", "low_quality")
    assert "duplicates.semantic is null" in line_of(said, "semantic_duplicate", "off")


def test_a_duplicate_names_the_better_row(folder):
    assert "equal to row line-00000000" in line_of(explain(folder, "4") + explain(folder, "2"), "rejects", "duplicate")


def test_a_row_that_was_set_aside_says_why(folder):
    assert explain(folder, "6").startswith("row 6 was set aside and not curated: not valid JSON")


def test_rows_with_names_of_their_own_are_found_by_name_and_by_number(tmp_path):
    named = [{**exchange(number), "id": f"talk {number}"} for number in range(3)]
    run(lines(tmp_path / "mine.jsonl", [named[0], "{no", *named[1:]]), Curation(), tmp_path / "out")
    assert explain(tmp_path / "out", "3") == explain(tmp_path / "out", "talk 1")


def test_rows_of_several_files_are_found_by_their_file_and_number(tmp_path):
    files = [
        lines(tmp_path / "a.jsonl", [exchange(0), SHORT]),
        lines(tmp_path / "b.jsonl", [exchange(1), "{no", exchange(2)]),
    ]
    run(files, Curation(), tmp_path / "out")
    said = explain(tmp_path / "out", "b.jsonl:3")
    assert said == explain(tmp_path / "out", "b.jsonl:line-000000003")
    assert exchange(2)["instruction"] in said
    assert explain(tmp_path / "out", "b.jsonl:line-2").startswith("row b.jsonl:line-2 was set aside")
    with pytest.raises(InputError, match=r"of several files FILE:NUMBER"):
        explain(tmp_path / "out", "1")


def test_an_unknown_row_and_a_foreign_folder_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"--explain 77: .* has no such row"):
        explain(folder, "77")
    with pytest.raises(InputError, match="no folder that this version"):
        explain(tmp_path, "1")


def test_the_folder_shows_rows_of_every_reason(folder):
    said = (folder / "reasons.md").read_text()
    assert "## short_response: 1 row (20.0 %)" in said
    assert "words of the response: 2, the line is at 5" in said
