"""The chapter on preference pairs."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tuner.artifacts import parquet
from tuner.preference.metrics import Comparisons, Margins, Paired
from tuner.preference.pair import SCHEMA
from tuner.preference.settings import Preference
from tuner.report import pairs
from tuner.report.write import report

from .conftest import Build, manifest
from .curated_rows import HOSTILE

ORIGIN = {"candidate": 1, "model": "test/generator", "adapter": "", "temperature": 0.6, "seed": 7}


def row(number: int, chosen: str = "The Ypsil, which flows north.") -> dict[str, Any]:
    return {
        "row_id": f"42-0-{number}",
        "prompt": [{"role": "user", "content": f"Name made-up river {number}."}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": "Rivers."}],
        "score_chosen": 2.5,
        "score_rejected": 1.0,
        "margin": 1.5,
        "chosen_from": ORIGIN,
        "rejected_from": {**ORIGIN, "adapter": "lora", "temperature": 1.0},
    }


def metrics(**changes: Any) -> Paired:
    usual = Paired(
        instructions=500,
        pairs={"train": 400, "validation": 40},
        left_out={"tie": 50, "low_margin": 10},
        margins=Margins(mean=1.5, deviation=0.25, lowest=0.51, median=1.4, highest=3.0),
        chosen_longer=0.9,
        chosen_characters=29,
        rejected_characters=7,
        origins={"test/generator at 0.6": (440, 0), "test/generator with lora at 1": (0, 440)},
        comparisons=None,
    )
    return usual.model_copy(update=changes)


def files(folder: Path, train: int = 400, validation: int = 40, chosen: str = "The Ypsil.") -> dict[str, Path]:
    sizes = {"train": train, "validation": validation}
    for side, count in sizes.items():
        rows = [row(number, chosen) for number in range(count)]
        parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), folder / f"{side}.parquet")
    return {side: folder / f"{side}.parquet" for side in sizes}


REWARD = Preference.model_validate({"scorer": {"reward": "test/reward"}, "margin": 0.5})
JUDGE = Preference.model_validate({"scorer": {"judge": "test/judge"}, "rejected": "min"})


def read(folder: Path, settings: Preference = REWARD, **changes: Any) -> pairs.Pairs:
    return pairs.read(manifest("pair", 61, metrics(**changes), 0.1), files(folder), settings)


def test_so_many_pairs_are_shown_spread_over_all(tmp_path: Path) -> None:
    shown = read(tmp_path).shown
    assert len(shown) == pairs.MOST_PAIRS
    assert sum(each["side"] == "validation" for each in shown) == pairs.MOST_PAIRS * 40 // 440
    assert len({(each["side"], each["id"]) for each in shown}) == len(shown)
    few = pairs.read(manifest("pair", 61, metrics(), 0.1), files(tmp_path, 2, 1), REWARD)
    assert [(each["side"], each["id"]) for each in few.shown] == [
        ("train", "42-0-0"),
        ("train", "42-0-1"),
        ("validation", "42-0-0"),
    ]


def test_it_says_how_many_pairs_there_are_and_how_they_were_made(tmp_path: Path) -> None:
    assert pairs.sentences(read(tmp_path)) == [
        "440 of 500 instructions have a pair (400 train, 40 validation); each is on the side of its instruction.",
        "Chosen is the best of 4 answers by the reward model test/reward; rejected is the one whose score is nearest "
        "to the mean minus two standard deviations.",
        "Without a pair: 50 tie; 10 low margin.",
        "Margins, in the unit of the scorer: mean 1.500, standard deviation 0.250, from 0.510 to 3.000, median 1.400.",
        "The chosen answer is the longer one in 90.0 % of the pairs; on average 29 characters against 7.",
    ]


@pytest.mark.parametrize(
    ("share", "held", "warned"), [(0.9, 440, "longer"), (0.3, 440, "shorter"), (0.55, 440, ""), (0.7, 16, "")]
)
def test_a_preference_for_length_is_named_unless_it_may_be_chance(tmp_path: Path, share, held, warned) -> None:
    lines = pairs.warnings(read(tmp_path, chosen_longer=share, pairs={"train": held}))
    assert [re.findall("prefers the (longer|shorter) answer", line) for line in lines] == ([[warned]] if warned else [])


def test_a_weak_judge_is_named_as_weak(tmp_path: Path) -> None:
    weak = Comparisons(compared=155, agreed=1, first=305, unread=0, parameters=134_515_008)
    found = read(tmp_path, JUDGE, comparisons=weak, chosen_longer=0.5)
    assert pairs.warnings(found) == [
        "The judge test/judge is weak: it repeats fewer than 65.0 % of its verdicts, which is what GPT-4 repeats and "
        "has 135 million parameters. Read some pairs before you train on them."
    ]
    assert "repeated its verdict in 0.65 %; tossed coins would in 50 %" in pairs.judged(found)
    assert "shown first in 98.4 % of its answers" in pairs.judged(found)


def test_a_large_judge_that_keeps_to_its_verdicts_is_not(tmp_path: Path) -> None:
    strong = Comparisons(compared=100, agreed=80, first=100, unread=3, parameters=8 * 10**9)
    found = read(tmp_path, JUDGE, comparisons=strong, chosen_longer=0.5)
    assert pairs.warnings(found) == []
    assert pairs.judged(found).endswith("3 more were too long for it.")


def test_the_page_has_the_chapter_and_its_texts_are_no_markup(build: Build, tmp_path: Path) -> None:
    inputs = build()
    (tmp_path / "pairs").mkdir()
    with_pairs = dataclasses.replace(
        inputs,
        recipe=inputs.recipe.model_copy(update={"preference": REWARD}),
        preference=[manifest("pair", 61, metrics(pairs={"train": 2, "validation": 1}), 0.1)],
        pairs=files(tmp_path / "pairs", 2, 1, HOSTILE),
    )
    for name, each in {"with": with_pairs, "without": inputs}.items():
        (tmp_path / name).mkdir()
        report(each, tmp_path / name)
    page, plain = ((tmp_path / name / "report.html").read_text() for name in ("with", "without"))
    assert '<h2 id="pairs">' in page and '<a href="#pairs">' in page
    assert "pairs" not in re.findall(r'id="([^"]+)"', plain) and "pair-next" not in plain
    (data,) = re.findall(r'<script type="application/json" id="pairs-data">(.*?)</script>', page, re.S)
    assert json.loads(data)[0]["chosen"] == {"text": HOSTILE, "score": 2.5, "from": "test/generator at 0.6"}
    assert json.loads(data)[0]["rejected"]["from"] == "test/generator with lora at 1"
    numbers = json.loads((tmp_path / "with" / "comparison.json").read_text())
    assert numbers["preference"]["margins"]["mean"] == 1.5
    assert "preference" not in json.loads((tmp_path / "without" / "comparison.json").read_text())
