"""The curated rows: what is read of all rows, what of a few, and the memory and time that it takes."""

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
    return [position for position, names in enumerate(lists) if reason in names]


@settings(max_examples=50)
@given(LISTS, st.integers(1, 4), st.integers(1, 9))
def test_reasons_are_read_with_their_positions_for_any_division_into_files_and_batches(lists, files, batch):
    made = pa.table(
        {
            "row_id": [str(position) for position in range(len(lists))],
            "verdict": ["rejected" if names else "kept" for names in lists],
            "reasons": pa.array(lists, pa.list_(pa.string())),
            "quality": pa.array([None if len(names) > 1 else 0.25 for names in lists], pa.float64()),
        }
    )
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(curated, "_NUMBERS", batch)
        patch.setattr(curated, "_TEXTS", batch)
        read = curated.read(write(made, Path(folder), files))
        texts = read.rows(range(0, len(lists), 3))
    assert len(read) == len(lists)
    assert {name: rows.tolist() for name, rows in read.reasons.items()} == {
        reason: positions(lists, reason) for reason in REASONS if positions(lists, reason)
    }
    assert read.kept.tolist() == [not names for names in lists]
    np.testing.assert_array_equal(read.scores["quality"], [np.nan if len(names) > 1 else 0.25 for names in lists])
    assert {at: row["row_id"] for at, row in texts.items()} == {at: str(at) for at in range(0, len(lists), 3)}


def test_reasons_are_in_the_order_of_the_checks_and_unknown_ones_last(tmp_path):
    made = pa.table({"verdict": ["rejected"], "reasons": [["zzz", "duplicate", "refusal", "aaa"]]})
    assert list(curated.read(write(made, tmp_path, 1)).reasons) == ["refusal", "duplicate", "aaa", "zzz"]


def test_a_missing_column_is_left_out(tmp_path):
    missing = ["gopher_lines", "language", "language_confidence", "marks", "cluster", "duplicate_of", "shard"]
    read = curated.read(write(table(rows(), missing), tmp_path), ["42-0-1"])
    assert set(read.scores) == set(SCORES) - {"gopher_lines", "language_confidence"}
    assert (read.marks, read.labels, read.members) == ({}, {"language": {}}, {})
    assert not read.beaten.any()
    assert "marks" not in read.rows([0])[0]


def test_members_of_the_requested_clusters_are_read(tmp_path):
    read = curated.read(write(table(rows()), tmp_path), ["42-0-1", "42-0-0", "nothing"])
    assert {name: len(members) for name, members in read.members.items()} == {"42-0-1": 7, "42-0-0": 1}


def test_a_duplicate_is_read_with_the_chain_of_rows_preferred_over_it(tmp_path):
    chain = [row | {"duplicate_of": f"42-0-{index + 1}"} if index < 3 else row for index, row in enumerate(rows())]
    read = curated.read(write(table(chain), tmp_path))
    assert {row["row_id"] for row in read.with_winners([0]).values()} == {f"42-0-{index}" for index in range(4)}


def test_a_winner_in_no_file_is_left_out(tmp_path):
    lost = [row | {"duplicate_of": "gone"} for row in rows()]
    assert list(curated.read(write(table(lost), tmp_path)).with_winners([5])) == [5]


def test_the_output_of_curation_is_read_correctly(tmp_path):
    made = [drawn.good(index) for index in range(6)] + [drawn.row(6, "", ""), drawn.row(7, response="Sure!")]
    made += [
        drawn.good(0) | {"row_id": "42-0-8"},
        drawn.row(9, "Tell me whom to ask.", "Mail bob.lee@mail.example.org."),
    ]
    curation = Curation(safety=Safety(personal_data="mark"))
    metrics = drawn.curated([drawn.shard(made, tmp_path / "0.parquet")], curation, tmp_path)
    read = curated.read(sorted((tmp_path / "curate" / "rows").glob("*.parquet")), metrics.clusters.largest)
    for counts, positions in ((metrics.reasons, read.reasons), (metrics.marks, read.marks)):
        assert {name: rows.size for name, rows in positions.items()} == {n: rows for n, rows in counts.items() if rows}
    assert {name: len(rows) for name, rows in read.members.items()} == metrics.clusters.largest
    assert set(read.scores) == set(SCORES)
    assert read.kept.sum() == metrics.kept


READ = r"""
import re, sys, time
from pathlib import Path
from tests.hollow import hollow
from tuner.curation.metrics import Clusters, Curated
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.report import browser, clusters, curated, thresholds
clock = time.perf_counter()
read = curated.read(sorted(Path(sys.argv[1]).glob(sys.argv[2])), ["0"])
reasons = dict.fromkeys(REASONS, 0) | {name: rows.size for name, rows in read.reasons.items()}
largest = hollow(Clusters, largest={"0": 1})
metrics = hollow(Curated, rows=len(read), reasons=reasons, marks=dict.fromkeys(REASONS, 0), clusters=largest)
scores, _ = thresholds.scores(read, metrics, Curation())
largest = clusters.select(read, metrics)
rows = read.with_winners({*browser.select(read), *largest[0].losers, largest[0].winner})
page = browser.embeddable(browser.as_data(rows))
seconds = time.perf_counter() - clock
# The peak of this process alone; that of getrusage includes the parent's.
megabytes = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(len(read), len(scores), largest[0].size, len(rows), len(page), seconds, megabytes)
"""


def measure_reading(folder, files):
    command = [sys.executable, "-c", READ, str(folder), files]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in output.split()]


def test_reading_a_hundred_thousand_rows_takes_seconds_and_little_more_memory_than_a_quarter(tmp_path):
    shards, size = 4, 25_000
    dice = np.random.default_rng(0)
    for shard in range(shards):
        ids = [str(shard * size + index) for index in range(size)]
        near = dice.random(size) < 0.3
        near[0] &= shard > 0
        # Two incompressible kilobytes per row: the texts of all rows would take 200 MB of memory.
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
    *_, few_megabytes = measure_reading(tmp_path, "00000.parquet")
    rows_, scores, largest, shown, page, seconds, megabytes = measure_reading(tmp_path, "*.parquet")
    assert (rows_, scores) == (shards * size, 5)
    assert 29_000 < largest < 31_000
    assert browser.MOST_ROWS <= shown <= browser.MOST_ROWS + 4  # three losers of a cluster and their winner
    assert page < 4e6
    assert megabytes - few_megabytes < 100  # their texts alone would take 150
    assert seconds < 20
