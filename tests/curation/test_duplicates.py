"""Which of several equal rows is kept."""

from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.duplicates import Candidate, key, winners
from tuner.curation.text import Pair


def candidate(index, key="k", passes=True, quality=0.8):
    return Candidate(f"r{index}", key, passes, quality, (0, index, f"r{index}"))


def test_the_best_that_passes_wins():
    group = [candidate(0, passes=False, quality=0.99), candidate(1), candidate(2, quality=0.9), candidate(3)]
    assert winners(group) == {"r0": "r2", "r1": "r2", "r3": "r2"}


def test_even_the_worst_that_passes_wins_over_one_that_does_not():
    assert winners([candidate(0, passes=False, quality=0.9), candidate(1, quality=0.0)]) == {"r0": "r1"}


def test_of_equals_the_first_drawn_wins_and_ten_comes_after_two():
    assert winners([candidate(10), candidate(2)]) == {"r10": "r2"}


def test_where_none_passes_the_first_drawn_stands_for_the_others():
    assert winners([candidate(1, passes=False, quality=0.9), candidate(0, passes=False, quality=0.1)]) == {"r1": "r0"}


def test_rows_alone_are_not_doubled():
    assert winners([candidate(0, key="a"), candidate(1, key="b")]) == {}


def test_the_key_sees_both_texts_apart():
    assert key(Pair("A  b", "c")) == key(Pair("a B", "C\n"))
    assert key(Pair("a", "b c")) != key(Pair("a b", "c"))
    assert key(Pair("a", "b")) != key(Pair("b", "a"))


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.sampled_from([0.6, 0.7]))).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))
    )
)
def test_the_order_does_not_matter_and_each_group_keeps_one(drawn):
    rows, order = drawn
    group = [candidate(i, *row) for i, row in enumerate(rows)]
    doubled = winners(group)
    assert winners([group[i] for i in order]) == doubled
    assert len(rows) - len(doubled) == len({row[0] for row in rows})
    assert not set(doubled.values()) & set(doubled)
