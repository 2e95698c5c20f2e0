"""The largest clusters: who won, which losers are shown, and what is said of them all."""

import pytest

from tests.hollow import hollow
from tuner.curation.metrics import Clusters, Curated
from tuner.report import clusters, curated

from .curated_rows import metrics, rows, table, write


@pytest.fixture
def described(tmp_path):
    def make(found):
        made = table(found)
        counted = metrics(made)
        read = curated.read(write(made, tmp_path / str(len(list(tmp_path.iterdir())))), clusters.largest(counted))
        chosen = clusters.chosen(read, counted)
        shown = read.with_winners({row for cluster in chosen for row in (cluster.winner, *cluster.losers)})
        return clusters.described(chosen, shown)

    return make


def member(row, *, lost="near_duplicate", to="42-0-1", similarity=0.6, cluster="42-0-1"):
    reasons = [lost] if lost else []
    verdict = "rejected" if lost else "kept"
    said = {"verdict": verdict, "reasons": reasons, "duplicate_of": to if lost else None, "cluster": cluster}
    return row | said | {"similarity": similarity if lost else None}


def alone():
    return [member(row, lost=None, cluster=row["row_id"]) for row in rows()]


def test_a_cluster_shows_the_winner_and_losers_from_the_most_to_the_least_similar(described):
    (found,) = described(rows())
    assert (found["size"], found["kinds"]) == ("7", ["4 exact duplicates", "2 near duplicates"])
    assert (found["winner"]["id"], found["winner"]["kept"]) == ("42-0-1", True)
    assert [loser["relation"] for loser in found["losers"]] == ["near duplicate, 0.83", "near duplicate, 0.45"]
    assert "And number" in found["losers"][0]["instruction"]


def test_a_huge_cluster_shows_three_losers_and_among_them_the_least_similar(described):
    all_alike = alone()
    all_alike[1] = member(all_alike[1], lost=None)
    for index in range(2, 96):
        all_alike[index] = member(all_alike[index], similarity=0.5 + index / 200)
    (found,) = described(all_alike)
    assert found["size"] == "95"
    assert [loser["relation"] for loser in found["losers"]] == [
        "near duplicate, 0.97",
        "near duplicate, 0.74",
        "near duplicate, 0.51",
    ]


def test_of_exact_copies_one_stands_for_all(described):
    copies = alone()
    copies[1] = member(copies[1], lost=None)
    for index in range(2, 12):
        copies[index] = member(copies[index], lost="duplicate", similarity=1.0)
    (found,) = described(copies)
    assert found["kinds"] == ["10 exact duplicates"]
    assert [loser["relation"] for loser in found["losers"]] == ["exact duplicate"]


def test_a_loser_that_another_one_beat_names_it(described):
    chain = alone()
    chain[1] = member(chain[1], lost=None)
    chain[2] = member(chain[2])
    chain[3] = member(chain[3], to="42-0-2", similarity=0.9)
    (found,) = described(chain)
    assert [loser["relation"] for loser in found["losers"]] == [
        "near duplicate, 0.90 of row 42-0-2",
        "near duplicate, 0.60",
    ]


def test_where_several_stay_the_best_is_the_winner(described):
    some = alone()
    for index, quality in ((1, 0.6), (2, 0.9), (3, None)):
        some[index] = member(some[index], lost=None) | {"quality": quality}
    some[4] = member(some[4], to="42-0-2")
    (found,) = described(some)
    assert found["winner"]["id"] == "42-0-2"


def test_a_winner_that_was_rejected_otherwise_is_not_said_to_stay(described):
    some = [
        row | {"verdict": "rejected", "reasons": ["below_target"]} if row["row_id"] == "42-0-1" else row
        for row in rows()
    ]
    assert described(some)[0]["winner"]["kept"] is False


def test_no_more_than_the_largest_are_shown(described):
    some = alone()
    for index in range(0, 96, 3):
        for loser in (index + 1, index + 2) if index < 6 else (index + 1,):
            name = some[index]["row_id"]
            some[loser] = member(some[loser], to=name, cluster=name)
    found = described(some)
    assert len(found) == clusters.SHOWN
    assert [cluster["size"] for cluster in found] == ["3", "3", *["2"] * (clusters.SHOWN - 2)]


def test_long_texts_show_their_beginning(described):
    found = described([row | {"instruction": "word " * 500} for row in rows()])
    assert found[0]["winner"]["instruction"].endswith("word […]")
    assert len(found[0]["winner"]["instruction"]) < clusters.CHARACTERS + 10


def test_sizes_are_summed_up():
    sizes = {"2": 1000, "3": 40, "10": 2, "11": 1}
    told = hollow(Curated, clusters=Clusters(number=1043, rows=2151, largest={}, sizes=sizes))
    assert clusters.summary(told) == (
        "2,151 rows hang together in 1,043 clusters: 1,000 pairs, 42 of 3 to 10 rows, 1 larger; the largest has 11."
    )


def test_a_search_that_was_left_unfinished_is_owned_up_to():
    told = hollow(Curated, unfinished_buckets=2)
    assert clusters.summary(told) == (
        "No two rows were called the same. In 2 buckets of the search not every pair was compared, "
        "so duplicates may be left."
    )
