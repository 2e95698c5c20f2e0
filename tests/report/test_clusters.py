"""The largest clusters: their winners, the losers shown, and the summary of all clusters."""

import pytest

from tests.hollow import hollow
from tuner.curation.metrics import Clusters, Curated
from tuner.report import clusters, curated

from .curated_rows import metrics, rows, table, write


@pytest.fixture
def as_data(tmp_path):
    """A function that describes the largest clusters of some rows as the page does."""

    def describe(rows):
        made = table(rows)
        counted = metrics(made)
        read = curated.read(write(made, tmp_path / str(len(list(tmp_path.iterdir())))), clusters.largest(counted))
        selected = clusters.select(read, counted)
        shown = read.with_winners({row for cluster in selected for row in (cluster.winner, *cluster.losers)})
        return clusters.as_data(selected, shown)

    return describe


def member(row, *, lost: str | None = "near_duplicate", to="42-0-1", similarity=0.6, cluster="42-0-1"):
    reasons = [lost] if lost else []
    verdict = "rejected" if lost else "kept"
    fields = {"verdict": verdict, "reasons": reasons, "duplicate_of": to if lost else None, "cluster": cluster}
    return row | fields | {"similarity": similarity if lost else None}


def unique_rows():
    return [member(row, lost=None, cluster=row["row_id"]) for row in rows()]


def test_a_cluster_shows_its_winner_and_its_losers_by_similarity(as_data):
    (cluster,) = as_data(rows())
    assert (cluster["size"], cluster["kinds"]) == ("7", ["4 exact duplicates", "2 near duplicates"])
    assert (cluster["winner"]["id"], cluster["winner"]["kept"]) == ("42-0-1", True)
    assert [loser["relation"] for loser in cluster["losers"]] == ["near duplicate, 0.83", "near duplicate, 0.45"]
    assert "And number" in cluster["losers"][0]["instruction"]


def test_a_large_cluster_shows_three_losers_including_the_least_similar(as_data):
    similar = unique_rows()
    similar[1] = member(similar[1], lost=None)
    for index in range(2, 96):
        similar[index] = member(similar[index], similarity=0.5 + index / 200)
    (cluster,) = as_data(similar)
    assert cluster["size"] == "95"
    assert [loser["relation"] for loser in cluster["losers"]] == [
        "near duplicate, 0.97",
        "near duplicate, 0.74",
        "near duplicate, 0.51",
    ]


def test_only_one_of_several_exact_copies_is_shown(as_data):
    copies = unique_rows()
    copies[1] = member(copies[1], lost=None)
    for index in range(2, 12):
        copies[index] = member(copies[index], lost="duplicate", similarity=1.0)
    (cluster,) = as_data(copies)
    assert cluster["kinds"] == ["10 exact duplicates"]
    assert [loser["relation"] for loser in cluster["losers"]] == ["exact duplicate"]


def test_a_duplicate_of_a_loser_names_that_row(as_data):
    chain = unique_rows()
    chain[1] = member(chain[1], lost=None)
    chain[2] = member(chain[2])
    chain[3] = member(chain[3], to="42-0-2", similarity=0.9)
    (cluster,) = as_data(chain)
    assert [loser["relation"] for loser in cluster["losers"]] == [
        "near duplicate, 0.90 of row 42-0-2",
        "near duplicate, 0.60",
    ]


def test_the_best_of_several_kept_rows_is_the_winner(as_data):
    some = unique_rows()
    for index, quality in ((1, 0.6), (2, 0.9), (3, None)):
        some[index] = member(some[index], lost=None) | {"quality": quality}
    some[4] = member(some[4], to="42-0-2")
    (cluster,) = as_data(some)
    assert cluster["winner"]["id"] == "42-0-2"


def test_a_winner_rejected_for_another_reason_is_not_called_kept(as_data):
    some = [
        row | {"verdict": "rejected", "reasons": ["below_target"]} if row["row_id"] == "42-0-1" else row
        for row in rows()
    ]
    assert as_data(some)[0]["winner"]["kept"] is False


def test_only_the_largest_clusters_are_shown(as_data):
    some = unique_rows()
    for index in range(0, 96, 3):
        for loser in (index + 1, index + 2) if index < 6 else (index + 1,):
            name = str(some[index]["row_id"])
            some[loser] = member(some[loser], to=name, cluster=name)
    shown = as_data(some)
    assert len(shown) == clusters.MAX_CLUSTERS
    assert [cluster["size"] for cluster in shown] == ["3", "3", *["2"] * (clusters.MAX_CLUSTERS - 2)]


def test_long_texts_are_cut(as_data):
    shown = as_data([row | {"instruction": "word " * 500} for row in rows()])
    assert shown[0]["winner"]["instruction"].endswith("word […]")
    assert len(shown[0]["winner"]["instruction"]) < clusters.MAX_CHARACTERS + 10


def test_the_summary_groups_clusters_by_size():
    sizes = {"2": 1000, "3": 40, "10": 2, "11": 1}
    counted = hollow(Curated, clusters=Clusters(number=1043, rows=2151, largest={}, sizes=sizes))
    assert clusters.summary(counted) == (
        "2,151 rows form 1,043 clusters: 1,000 pairs, 42 of 3 to 10 rows, 1 larger; the largest has 11."
    )


def test_an_incomplete_search_is_reported():
    counted = hollow(Curated, unfinished_buckets=2)
    assert clusters.summary(counted) == (
        "No duplicates were found. In 2 buckets of the search not all pairs were compared, "
        "so some duplicates may remain."
    )
