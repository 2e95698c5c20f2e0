"""The check counts what is equal and near on both sides, whoever made the files."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.splitting.rows import jaccard, rows, write
from tests.splitting.test_join import SIMILARITIES, WORDS, templated
from tuner.curation.columns.text import normalise
from tuner.splitting import check as module
from tuner.splitting.check import check


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("check")


def checked(train, validation, place, similarity=0.5, ngram=5):
    paths = write(rows(train, "t"), place / "t.parquet"), write(rows(validation, "v"), place / "v.parquet")
    return check(*paths, similarity, ngram)


def counted(train, validation, similarity, ngram):
    """The same by definition: rows that are equal to one on the other side, and that are near to one."""
    near = sum(any(normalise(v) and jaccard(v, t, ngram) >= similarity for t in train) for v in validation)
    return sum(normalise(v) in {normalise(t) for t in train} for v in validation), near


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=10), st.lists(WORDS, max_size=10), SIMILARITIES, st.integers(1, 4))
def test_overlaps_of_small_texts_are_counted(place, train, validation, similarity, ngram):
    found = checked(train, validation, place, similarity, ngram)
    assert (found.exact_overlap, found.near_overlap) == counted(train, validation, similarity, ngram)


@settings(max_examples=30)
@given(st.integers(0, 10**6), SIMILARITIES, st.integers(1, 5))
def test_overlaps_of_templates_are_counted(place, seed, similarity, ngram):
    texts = templated(60, seed)
    found = checked(texts[:40], texts[40:], place, similarity, ngram)
    assert (found.exact_overlap, found.near_overlap) == counted(texts[:40], texts[40:], similarity, ngram)


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=10))
def test_any_text_can_be_checked(place, texts):
    found = checked(texts, texts[:3], place, 0.5, 2)
    assert (found.exact_overlap, found.near_overlap) == counted(texts, texts[:3], 0.5, 2)


def test_what_leaks_is_named(place):
    train = ["Sing a song", "Name the five largest rivers of the world in order", "Bake bread"]
    assert checked(train, ["Dance", " bake  BREAD"], place).example == ("v-1", "t-2")
    near = checked(train, ["Dance", "Name the five largest rivers of the world in order please"], place)
    assert (near.exact_overlap, near.near_overlap, near.example) == (0, 1, ("v-1", "t-1"))
    assert checked(train, ["Dance"], place).example is None


def test_files_are_read_piece_by_piece(place, monkeypatch):
    texts = templated(60, 3)
    whole = checked(texts[:40], texts[40:], place, 0.4, 2)
    monkeypatch.setattr(module, "_ROWS", 7)
    assert checked(texts[:40], texts[40:], place, 0.4, 2) == whole


def test_the_first_turn_of_the_user_is_compared(place):
    asked = rows(["How does bread rise in a cold oven, and why"], "v")
    asked[0]["prompt"] = [
        {"role": "system", "content": "You know all about rivers."},
        *asked[0]["prompt"],
        {"role": "assistant", "content": "It does not."},
        {"role": "user", "content": "Go on"},
    ]
    validation = write(asked, place / "turns.parquet")
    same = write(rows(["How does bread rise in a cold oven, and why"], "t"), place / "same.parquet")
    other = write(rows(["Go on", "You know all about rivers."], "t"), place / "other.parquet")
    assert check(same, validation, 0.5, 5).exact_overlap == 1
    assert check(other, validation, 0.5, 5).near_overlap == 0


def test_metrics_say_what_was_looked_for(place):
    metrics = checked(["Sing a song"], ["Dance"], place, 0.4, 3).model_dump()
    assert metrics == {
        "exact_overlap": 0,
        "near_overlap": 0,
        "similarity": 0.4,
        "ngram": 3,
        "pairs_compared": 0,
    }
