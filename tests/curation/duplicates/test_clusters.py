"""Clusters are the transitive closure of their pairs; the best members stay."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.duplicates.clusters import components, representatives, representatives_by_round

compiled = settings(deadline=None)  # the first call compiles

ONE_ROUND = np.zeros(4, np.int64)

PAIRS = st.integers(1, 25).flatmap(
    lambda rows: st.tuples(
        st.just(rows), st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, rows - 1)), max_size=30)
    )
)


def labels(rows, pairs):
    return components(rows, np.array([a for a, _ in pairs], np.int64), np.array([b for _, b in pairs], np.int64))


def closure(rows, pairs):
    """The labels by definition: link until nothing changes."""
    smallest = list(range(rows))
    changed = True
    while changed:
        changed = False
        for a, b in pairs:
            if smallest[a] != smallest[b]:
                smallest[a] = smallest[b] = min(smallest[a], smallest[b])
                changed = True
    return smallest


def test_a_chain_is_one_cluster_with_the_number_of_its_first_row():
    assert labels(5, [(3, 4), (1, 3)]).tolist() == [0, 1, 2, 1, 1]


def test_a_long_chain_is_one_cluster():
    rows = 100_000
    forward = [(row, row + 1) for row in range(rows - 1)]
    assert (labels(rows, forward) == 0).all()
    assert (labels(rows, forward[::-1]) == 0).all()


@compiled
@given(PAIRS, st.randoms())
def test_clusters_are_the_closure_of_the_pairs_in_any_order(drawn, random):
    rows, pairs = drawn
    found = labels(rows, pairs)
    assert found.tolist() == closure(rows, pairs)
    turned = [pair[::-1] if random.random() < 0.5 else pair for pair in pairs]
    random.shuffle(turned)
    assert labels(rows, turned).tolist() == found.tolist()


def test_the_best_scored_row_stays_and_represents_the_others():
    found = representatives(
        np.array([0, 0, 0, 3]),
        ONE_ROUND,
        np.array([0.5, 0.9, 0.7, 0.1]),
        np.arange(4, dtype=np.uint64),
        pl.Series(list("abcd")),
    )
    assert found.tolist() == [1, -1, 1, -1]


def test_more_than_one_may_stay_and_the_best_represents_the_others():
    found = representatives(
        np.zeros(4, np.int64),
        ONE_ROUND,
        np.array([0.5, 0.9, 0.7, np.nan]),
        np.arange(4, dtype=np.uint64),
        pl.Series(list("abcd")),
        keep=2,
    )
    assert found.tolist() == [1, -1, -1, 1]


def test_of_equal_scores_the_smaller_key_stays_then_the_smaller_row_id():
    same = np.zeros(4, np.int64)
    keys = np.array([3, 2, 2, 9], np.uint64)
    assert representatives(same, ONE_ROUND, np.ones(4), keys, pl.Series(list("abcd"))).tolist() == [1, -1, 1, 1]
    keys = np.ones(4, np.uint64)
    assert representatives(same, ONE_ROUND, np.ones(4), keys, pl.Series(list("dcba"))).tolist() == [3, 3, 3, -1]


def test_no_rows_at_all():
    assert labels(0, []).size == 0
    none, ids = np.empty(0, np.int64), pl.Series([], dtype=pl.String)
    assert representatives(none, none, np.empty(0), np.empty(0, np.uint64), ids).size == 0
    assert representatives_by_round(none, none, none, np.empty(0), np.empty(0, np.uint64), ids).size == 0


@compiled
@given(PAIRS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_a_representative_stays_and_is_of_the_same_cluster_in_any_order(drawn, keep, random):
    rows, pairs = drawn
    quality = np.array([random.choice([0.5, 0.6, np.nan]) for _ in range(rows)])
    keys = np.array([random.choice([1, 2**63, 2**64 - 1]) for _ in range(rows)], np.uint64)
    ids = [f"r{row}" for row in range(rows)]
    found = labels(rows, pairs)
    duplicate_of = representatives(found, np.zeros(rows, np.int64), quality, keys, pl.Series(ids), keep)

    dropped = np.flatnonzero(duplicate_of >= 0)
    assert (duplicate_of[duplicate_of[dropped]] == -1).all()
    assert (found[duplicate_of[dropped]] == found[dropped]).all()
    for cluster in set(found.tolist()):
        members = np.flatnonzero(found == cluster)
        assert (duplicate_of[members] == -1).sum() == min(keep, members.size)

    order = list(range(rows))
    random.shuffle(order)
    place = {row: at for at, row in enumerate(order)}
    moved = representatives(
        labels(rows, [(place[a], place[b]) for a, b in pairs]),
        np.zeros(rows, np.int64),
        quality[order],
        keys[order],
        pl.Series([ids[row] for row in order]),
        keep,
    )
    named = {ids[order[row]]: ids[order[best]] for row, best in enumerate(moved) if best >= 0}
    assert named == {ids[row]: ids[duplicate_of[row]] for row in dropped}


def resolved(pairs, rounds, quality, keep=1):
    a, b = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    ids = pl.Series([f"r{row}" for row in range(len(rounds))], dtype=pl.String)
    return representatives_by_round(
        a, b, np.array(rounds), np.array(quality), np.arange(len(rounds), dtype=np.uint64), ids, keep
    )


def test_a_row_of_an_earlier_round_stays_whatever_the_scores():
    assert resolved([(0, 1), (1, 2)], [1, 0, 1], [0.9, 0.1, 0.8]).tolist() == [1, -1, 1]


def test_a_new_row_near_to_two_old_ones_drops_neither():
    assert resolved([(0, 2), (1, 2)], [0, 0, 1], [0.2, 0.1, 0.9]).tolist() == [-1, -1, 0]


def test_more_than_one_may_stay_over_several_rounds():
    # Two may stay: 0 and 1 do, 2 does not; beside 3, the better one of 4 and 5 does.
    pairs = [(0, 1), (1, 2), (3, 4), (4, 5)]
    assert resolved(pairs, [0, 0, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.1, 0.5, 0.6], keep=2).tolist() == [
        -1,
        -1,
        0,
        -1,
        3,
        -1,
    ]
    assert resolved([(0, 1), (1, 2), (2, 3)], [0, 0, 0, 1], [0.9, 0.8, 0.7, 1.0], keep=2).tolist() == [-1, -1, 0, 0]


@compiled
@given(PAIRS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_no_round_changes_what_an_earlier_one_decided(drawn, keep, random):
    rows, pairs = drawn
    rounds = sorted(random.randrange(3) for _ in range(rows))
    quality = [random.choice([0.5, 0.6, np.nan]) for _ in range(rows)]
    found = resolved(pairs, rounds, quality, keep)
    clusters = labels(rows, pairs)
    for last in set(rounds):
        count = sum(number <= last for number in rounds)
        before = [pair for pair in pairs if max(pair) < count]
        assert resolved(before, rounds[:count], quality[:count], keep).tolist() == found[:count].tolist()
    for row in np.flatnonzero(found >= 0):
        assert found[found[row]] == -1
        assert rounds[found[row]] <= rounds[row]
        assert clusters[found[row]] == clusters[row]
    if not any(rounds):
        ids, keys = pl.Series([f"r{row}" for row in range(rows)]), np.arange(rows, dtype=np.uint64)
        assert (
            found.tolist()
            == representatives(clusters, np.zeros(rows, int), np.array(quality), keys, ids, keep).tolist()
        )
