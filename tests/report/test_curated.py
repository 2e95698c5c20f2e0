"""The curated rows: what is read of all of them, what of few, and how much memory and time that takes."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation import rows as drawn
from tuner.artifacts import parquet
from tuner.curation.checks.safety import Safety
from tuner.curation.settings import Curation
from tuner.report import browser, curated
from tuner.report.curated import SCORES

from .curated_rows import rows, table, write

REASONS = ["toxic", "refusal", "duplicate", "not_in_the_list"]
LISTS = st.lists(st.lists(st.sampled_from(REASONS), unique=True, max_size=3), min_size=1, max_size=40)


def positions(lists, reason):
    return [position for position, these in enumerate(lists) if reason in these]


@settings(max_examples=50)
@given(LISTS, st.integers(1, 4), st.integers(1, 9))
def test_reasons_are_found_at_their_rows_however_these_are_cut_into_files_and_batches(lists, files, batch):
    found = pa.table(
        {
            "row_id": [str(position) for position in range(len(lists))],
            "verdict": ["rejected" if these else "kept" for these in lists],
            "reasons": pa.array(lists, pa.list_(pa.string())),
            "quality": pa.array([None if len(these) > 1 else 0.25 for these in lists], pa.float64()),
        }
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(curated, "_NUMBERS", batch)
        patch.setattr(curated, "_TEXTS", batch)
        read = curated.read(write(found, Path(folder), files))
        texts = read.rows(range(0, len(lists), 3))
    assert len(read) == len(lists)
    assert {name: rows.tolist() for name, rows in read.reasons.items()} == {
        reason: positions(lists, reason) for reason in REASONS if positions(lists, reason)
    }
    assert read.kept.tolist() == [not these for these in lists]
    np.testing.assert_array_equal(read.scores["quality"], [np.nan if len(these) > 1 else 0.25 for these in lists])
    assert {at: row["row_id"] for at, row in texts.items()} == {at: str(at) for at in range(0, len(lists), 3)}


def test_reasons_come_in_the_order_of_the_checks_and_unknown_ones_last(tmp_path):
    found = pa.table({"verdict": ["rejected"], "reasons": [["zzz", "duplicate", "refusal", "aaa"]]})
    assert list(curated.read(write(found, tmp_path, 1)).reasons) == ["refusal", "duplicate", "aaa", "zzz"]


def test_a_column_that_is_not_there_is_not_made_up(tmp_path):
    missing = ["gopher_lines", "language", "language_confidence", "marks", "cluster", "duplicate_of", "shard"]
    found = curated.read(write(table(rows(), missing), tmp_path), ["42-0-1"])
    assert set(found.scores) == set(SCORES) - {"gopher_lines", "language_confidence"}
    assert (found.marks, found.labels, found.members) == ({}, {"language": {}}, {})
    assert not found.beaten.any()
    assert "marks" not in found.rows([0])[0]


def test_members_are_read_of_the_clusters_that_were_asked_for(tmp_path):
    found = curated.read(write(table(rows()), tmp_path), ["42-0-1", "42-0-0", "nothing"])
    assert {name: len(members) for name, members in found.members.items()} == {"42-0-1": 7, "42-0-0": 1}


def test_with_a_loser_come_the_rows_that_beat_it_to_the_last(tmp_path):
    chain = [row | {"duplicate_of": f"42-0-{index + 1}"} if index < 3 else row for index, row in enumerate(rows())]
    found = curated.read(write(table(chain), tmp_path))
    assert {row["row_id"] for row in found.with_winners([0]).values()} == {f"42-0-{index}" for index in range(4)}


def test_a_winner_that_is_in_no_file_is_left_out(tmp_path):
    lost = [row | {"duplicate_of": "gone"} for row in rows()]
    assert list(curated.read(write(table(lost), tmp_path)).with_winners([5])) == [5]


def test_what_curation_leaves_is_what_is_read(tmp_path):
    taken = [drawn.good(index) for index in range(6)] + [drawn.row(6, "", ""), drawn.row(7, response="Sure!")]
    taken += [
        drawn.good(0) | {"row_id": "42-0-8"},
        drawn.row(9, "Tell me whom to ask.", "Mail bob.lee@mail.example.org."),
    ]
    curation = Curation(safety=Safety(personal_data="mark"))
    metrics = drawn.curated([drawn.shard(taken, tmp_path / "0.parquet")], curation, tmp_path)
    found = curated.read(sorted((tmp_path / "curate" / "rows").glob("*.parquet")), metrics.clusters.largest)
    for counts, known in ((metrics.reasons, found.reasons), (metrics.marks, found.marks)):
        assert {name: rows.size for name, rows in known.items()} == {n: rows for n, rows in counts.items() if rows}
    assert {name: len(rows) for name, rows in found.members.items()} == metrics.clusters.largest
    assert set(found.scores) == set(SCORES)
    assert found.kept.sum() == metrics.kept


READER = r"""
import re, sys, time
from pathlib import Path
from tests.hollow import hollow
from tuner.curation.metrics import Clusters, Curated
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report import browser, clusters, curated, thresholds
clock = time.perf_counter()
found = curated.read(sorted(Path(sys.argv[1]).glob(sys.argv[2])), ["0"])
reasons = dict.fromkeys(REASONS, 0) | {name: rows.size for name, rows in found.reasons.items()}
largest = hollow(Clusters, largest={"0": 1})
metrics = hollow(Curated, rows=len(found), reasons=reasons, marks=dict.fromkeys(REASONS, 0), clusters=largest)
scores, _ = thresholds.scores(found, metrics, Curation())
largest = clusters.chosen(found, metrics)
rows = found.with_winners({*browser.chosen(found), *largest[0].losers, largest[0].winner})
page = browser.embeddable(browser.described(rows))
seconds = time.perf_counter() - clock
# The peak of this process alone: what getrusage says begins with that of the parent.
megabytes = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(len(found), len(scores), largest[0].size, len(rows), len(page), seconds, megabytes)
"""


def look(folder, files):
    command = [sys.executable, "-c", READER, str(folder), files]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in said.split()]


def test_a_hundred_thousand_rows_take_seconds_and_little_more_memory_than_a_quarter_of_them(tmp_path):
    shards, size = 4, 25_000
    dice = np.random.default_rng(0)
    for shard in range(shards):
        ids = [str(shard * size + index) for index in range(size)]
        near = dice.random(size) < 0.3
        near[0] &= shard > 0
        # Two kilobytes a row that do not compress away: in memory the texts of all rows would take 200 MB.
        texts = pa.array(dice.integers(33, 126, (size, 1000), np.uint8).view("S1000").ravel().astype(str))
        parquet.write(
            pa.table(
                {
                    "row_id": ids,
                    "instruction": texts,
                    "response": texts,
                    "verdict": np.where(near, "rejected", "kept"),
                    "reasons": pa.array([["near_duplicate"] if lost else [] for lost in near], pa.list_(pa.string())),
                    "marks": pa.array([["personal_data"]] * size, pa.list_(pa.string())),
                    "quality": dice.random(size),
                    "instruction_words": dice.integers(1, 600, size),
                    "response_words": dice.integers(1, 2500, size),
                    "language": ["en"] * size,
                    "language_confidence": dice.random(size),
                    "cluster": ["0" if lost else name for name, lost in zip(ids, near, strict=True)],
                    "duplicate_of": ["0" if lost else None for lost in near],
                    "similarity": np.where(near, dice.uniform(0.5, 1, size), np.nan),
                }
            ),
            tmp_path / f"{shard:05}.parquet",
        )
    *_, few_megabytes = look(tmp_path, "00000.parquet")
    rows_, scores, largest, shown, page, seconds, megabytes = look(tmp_path, "*.parquet")
    assert (rows_, scores) == (shards * size, 5)
    assert 29_000 < largest < 31_000
    assert browser.MOST_ROWS <= shown <= browser.MOST_ROWS + 4  # and three losers of a cluster with their winner
    assert page < 4e6
    assert megabytes - few_megabytes < 100  # their texts alone would be 150
    assert seconds < 20
