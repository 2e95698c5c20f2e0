"""The thoughts in a person's data stand in a column of their own, checked and masked, beside rows without any."""

import polars as pl
import pytest

from tests.owndata.talk import answered, asked, exchange, lines
from tuner.curation.settings import Curation
from tuner.owndata.curate import run


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    """The folder of a file whose rows think, loop, leak, never answer, and do not think."""
    folder = tmp_path_factory.mktemp("thoughts")
    rows = [
        thinking(0, "Is it far? Ask anna.smith@gmail.com first."),
        thinking(1, "Is it far? " * 40),
        {"instruction": asked(2), "response": f"<think>{answered(2)}"},
        {"instruction": asked(3), "response": f"{answered(3)}\n<think>\nIs that right?"},
        exchange(4),
    ]
    run(lines(folder / "mine.jsonl", rows), Curation.model_validate({"profile": "own-data"}), folder / "out")
    return folder / "out"


def thinking(number, thoughts):
    return {"instruction": asked(number), "response": f"<think>\n{thoughts}\n</think>\n\n{answered(number)}"}


def column(folder, name, part="rows"):
    return pl.concat([pl.read_parquet(path) for path in sorted((folder / part).glob("*.parquet"))])[name].to_list()


def test_thoughts_are_apart_from_the_answer_and_masked(curated):
    assert column(curated, "response")[:2] == [answered(0), answered(1)]
    kept = column(curated, "thoughts", "kept")
    assert kept[0].startswith("Is it far? Ask ") and "gmail" not in kept[0]
    assert kept[-1] == ""


def test_what_went_wrong_with_them_is_a_reason(curated):
    reasons = column(curated, "reasons")
    assert reasons[1] == ["looping_thoughts"]
    assert "empty_response" in reasons[2]
    assert reasons[3] == ["leaked_template"]
    assert column(curated, "verdict") == ["kept", "rejected", "rejected", "rejected", "kept"]
