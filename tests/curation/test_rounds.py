"""Rows of several rounds: later rows neither displace nor duplicate those that an earlier round kept."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation.rows import RESPONSE, curated, row, shard, table
from tests.curation.test_curate_stage import CURATIONS, ROWS, by_id, kept, story
from tuner.curation.checks.balance import Balance
from tuner.curation.checks.duplicates import Duplicates, Near, Semantic
from tuner.curation.checks.quality import Quality
from tuner.curation.settings import Curation


def judged(rounds, folder, curation=None):
    """The metrics and the curated rows by id, of rounds of one shard each."""
    paths = [shard(rows, folder / f"{number}.parquet") for number, rows in enumerate(rounds)]
    metrics = curated(paths, curation or Curation(), folder, rounds=list(range(len(paths))))
    return metrics, by_id(table(folder))


def named(number, drawn):
    """Rows with ids of their round."""
    return [each | {"row_id": f"{42 + number}-0-{index}"} for index, each in enumerate(drawn)]


BETTER = story(0)
WORSE = BETTER | {"response": BETTER["response"].removesuffix(".")}


def test_of_near_duplicates_the_worse_row_of_the_earlier_round_stays(tmp_path):
    _, one = judged([named(0, [WORSE, BETTER])], tmp_path / "one")
    assert one["42-0-0"]["quality"] < one["42-0-1"]["quality"]
    assert kept(one) == {"42-0-1"}
    _, two = judged([named(0, [WORSE]), named(1, [BETTER])], tmp_path / "two")
    assert kept(two) == {"42-0-0"}
    assert (two["43-0-0"]["reasons"], two["43-0-0"]["duplicate_of"]) == (["near_duplicate"], "42-0-0")


def test_an_equal_row_of_a_later_round_is_the_duplicate(tmp_path):
    # By row_id alone the later one would win.
    rounds = [[story(1) | {"row_id": "b"}], [story(1) | {"row_id": "a"}]]
    assert kept(judged(rounds, tmp_path)[1]) == {"b"}


def test_a_good_row_is_not_dropped_as_a_duplicate_of_a_rejected_one_of_an_earlier_round(tmp_path):
    _, rows_by_id = judged([named(0, [story(1) | {"response_finish": "length"}]), named(1, [story(1)])], tmp_path)
    assert kept(rows_by_id) == {"43-0-0"}


def test_a_paraphrase_is_a_duplicate_of_the_earlier_round(tmp_path):
    asked = ["How do I bake a loaf of bread at home?", "What is the way to bake bread at home?"]
    rounds = [named(number, [story(number) | {"instruction": text}]) for number, text in enumerate(asked)]
    curation = Curation(duplicates=Duplicates(semantic=Semantic(similarity=0.8)))
    for first in (0, 1):
        _, rows_by_id = judged([rounds[first], rounds[1 - first]], tmp_path / str(first), curation)
        assert kept(rows_by_id) == {rounds[first][0]["row_id"]}


def test_a_new_row_near_to_two_old_ones_drops_neither(tmp_path):
    words = [f"w{number}" for number in range(18)]
    left, between, right = (" ".join(words[at : at + 12]) for at in (0, 3, 6))
    old = named(0, [story(0) | {"instruction": left}, story(1) | {"instruction": right}])
    new = named(1, [story(2) | {"instruction": between}])
    curation = Curation(duplicates=Duplicates(near=Near(on=("instruction",), ngram=2)))
    assert kept(judged([old], tmp_path / "one", curation)[1]) == {"42-0-0", "42-0-1"}
    _, rows_by_id = judged([old, new], tmp_path / "two", curation)
    assert kept(rows_by_id) == {"42-0-0", "42-0-1"}
    assert rows_by_id["43-0-0"]["reasons"] == ["near_duplicate"]
    assert len({each["cluster"] for each in rows_by_id.values()}) == 1


@pytest.mark.parametrize("quality", [Quality(top_k=2), Quality(target=2)])
def test_a_limit_holds_for_each_round(tmp_path, quality):
    rounds = [named(number, [story(10 * number + index) for index in range(4)]) for number in range(2)]
    metrics, rows_by_id = judged(rounds, tmp_path, Curation(quality=quality))
    assert metrics.reasons["below_target"] == 4
    assert [sum(name.startswith(f"{seed}-") for name in kept(rows_by_id)) for seed in (42, 43)] == [2, 2]


def test_the_balance_holds_over_all_rounds_and_earlier_rows_come_first(tmp_path):
    rounds = [named(0, [story(index, words=20) for index in range(2)]), named(1, [story(index) for index in (2, 3)])]
    _, rows_by_id = judged(rounds, tmp_path, Curation(balance=Balance(at_most=3)))
    assert {"42-0-0", "42-0-1"} < kept(rows_by_id)
    assert len(kept(rows_by_id)) == 3


def drawn(number, rows):
    return named(number, [row(0, one, other, response_finish=finish) for one, other, finish in rows])


@settings(max_examples=10)
@given(st.lists(ROWS, min_size=2, max_size=3), CURATIONS)
def test_no_round_changes_what_an_earlier_one_kept(rounds, curation):
    rounds = [drawn(number, rows) for number, rows in enumerate(rounds)]
    results = []
    for last in range(1, len(rounds) + 1):
        with tempfile.TemporaryDirectory() as name:
            metrics, rows = judged(rounds[:last], Path(name), curation)
        assert metrics.kept + metrics.rejected == metrics.rows == sum(map(len, rounds[:last]))
        results.append(rows)
    for before, after in pairwise(results):
        assert {name for name in kept(after) if name in before} == kept(before)


# Most of these rows are near duplicates of each other.
NEARLY = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(
    lambda pair: (f"Explain how bread number {pair[0]} rises.", f"{RESPONSE} {'So it does. ' * pair[1]}", "stop")
)


@settings(max_examples=10)
@given(st.lists(NEARLY, min_size=1, max_size=8), st.lists(NEARLY, min_size=1, max_size=8))
def test_no_new_row_that_is_kept_is_near_to_an_old_one(first, second):
    rounds = [drawn(number, rows) for number, rows in enumerate((first, second))]
    curation = Curation(duplicates=Duplicates(near=Near(on=("instruction", "response", "both"), ngram=2)))
    with tempfile.TemporaryDirectory() as name:
        judged(rounds, Path(name), curation)
        stays = table(Path(name), "kept").to_pylist()
    again = [
        row(0, *(message["content"] for message in each["messages"])) | {"row_id": each["row_id"]} for each in stays
    ]
    with tempfile.TemporaryDirectory() as name:
        # As one round the same search would find what was missed.
        assert judged([again], Path(name), curation)[0].kept == len(stays)
