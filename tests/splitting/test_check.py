"""The leak check counts equal and near rows across two files, whatever wrote them."""

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation.columns.test_words import ALONE, CLINGING, fnv
from tests.splitting.rows import jaccard, rows, templates, write
from tests.splitting.test_join import SIMILARITIES, WORDS, templated
from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise, normalised
from tuner.curation.columns.words import split
from tuner.splitting import check as module
from tuner.splitting.check import check, miscounted


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("check")


def checked(train, validation, folder, similarity=0.5, ngram=5, phrases=()):
    paths = write(rows(train, "t"), folder / "t.parquet"), write(rows(validation, "v"), folder / "v.parquet")
    return check(*paths, similarity, ngram, written(phrases, folder))


def written(phrases, folder):
    parquet.write(pa.table({"phrase": pa.array(phrases, pa.string())}), folder / "templates.parquet")
    return folder / "templates.parquet"


def reference(train, validation, similarity, ngram, shared=()):
    """The same by definition: validation rows equal to a training row, and near one."""
    near = sum(any(normalise(v) and jaccard(v, t, ngram, shared) >= similarity for t in train) for v in validation)
    return sum(normalise(v) in {normalise(t) for t in train} for v in validation), near


@settings(max_examples=150)
@given(st.lists(WORDS, max_size=10), st.lists(WORDS, max_size=10), SIMILARITIES, st.integers(1, 4))
def test_overlaps_of_small_texts_are_counted(folder, train, validation, similarity, ngram):
    overlap = checked(train, validation, folder, similarity, ngram)
    assert (overlap.exact_overlap, overlap.near_overlap) == reference(train, validation, similarity, ngram)


CHARACTERS = st.one_of(
    st.sampled_from("ab ." + ALONE + CLINGING), st.characters(codec="utf-8", exclude_categories=["Cn", "Co"])
)


@given(st.lists(st.text(CHARACTERS), max_size=8))
def test_words_are_those_of_the_split_though_found_by_other_code(texts):
    texts = normalised(pl.Series(texts, dtype=pl.String))
    found = [text.split(" ") if text else [] for text in module._parted(texts)]
    words = split(texts)
    assert [len(each) for each in found] == words.counts.tolist()
    assert [fnv(word) for each in found for word in each] == words.hashes.tolist()


def test_a_near_text_without_blanks_is_found(folder):
    ours = "请为一家新开的面包店写一句简短而有趣的广告语,要提到新鲜的面包和热咖啡"
    theirs = "请为一家新开的面包店写一句简短而动人的广告语,要提到新鲜的面包和热咖啡"
    other = "请说明怎样在阳台上种番茄,需要多大的花盆和多少水"
    assert checked([ours, other], [theirs], folder).near_overlap == 1
    assert checked([other], [theirs], folder).near_overlap == 0


@settings(max_examples=40)
@given(st.integers(0, 10**6), SIMILARITIES, st.integers(1, 5), st.integers(2, 60))
def test_overlaps_of_templates_are_counted(folder, seed, similarity, ngram, least):
    texts = templated(60, seed)
    shared = templates(texts, ngram, least)
    overlap = checked(texts[:40], texts[40:], folder, similarity, ngram, map(" ".join, shared))
    wanted = reference(texts[:40], texts[40:], similarity, ngram, shared)
    assert (overlap.exact_overlap, overlap.near_overlap, overlap.template_ngrams) == (*wanted, len(shared))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(2, 60), st.sampled_from([3, 50_000]))
def test_phrases_of_templates_are_counted_anew(folder, seed, ngram, least, batch):
    texts = templated(60, seed)
    paths = write(rows(texts[:40], "t"), folder / "t.parquet"), write(rows(texts[40:], "v"), folder / "v.parquet")
    phrases = [" ".join(phrase) for phrase in templates(texts, ngram, least)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", batch)
        assert miscounted(paths, written(phrases, folder), ngram, least) == 0
        others = [" ".join(["never"] * ngram), *phrases[2:]]
        assert miscounted(paths, written(others, folder), ngram, least) == 1 + len(phrases[:2])


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=12), max_size=10))
def test_any_text_can_be_checked(folder, texts):
    overlap = checked(texts, texts[:3], folder, 0.5, 2)
    assert (overlap.exact_overlap, overlap.near_overlap) == reference(texts, texts[:3], 0.5, 2)


TASK = "Read what a reader wrote to our newspaper and name in one word the part of the paper that should print it:"
LETTERS = (
    "my neighbour feeds pigeons from his balcony",
    "the new tram stop has no roof at all",
    "who decided to close the swimming pool in july",
    "your crossword of monday had two answers missing",
    "please print more about the old mill by the river",
    "the concert in the park was far too loud",
    "our school is looking for somebody who can teach chess",
    "nobody repairs the street lamps behind the station",
)


def test_texts_under_one_task_are_near_only_by_what_is_asked(folder):
    texts, phrases = [f"{TASK} {letter}" for letter in LETTERS], [normalise(TASK)]
    assert checked(texts[:5], texts[5:], folder).near_overlap == 3
    overlap = checked(texts[:5], texts[5:], folder, phrases=phrases)
    assert (overlap.near_overlap, overlap.template_ngrams) == (0, len(TASK.split()) - 4)
    assert checked(texts, [f"{texts[0]} every day"], folder, phrases=phrases).near_overlap == 1


def test_a_text_that_is_nothing_but_a_template_is_compared_whole(folder):
    phrases = [normalise(TASK)]
    assert checked([TASK], [f"{TASK} please"], folder, phrases=phrases).near_overlap == 1
    assert checked([TASK], [f"{TASK} {LETTERS[0]}"], folder, phrases=phrases).near_overlap == 0


def test_a_text_that_many_rows_equal_is_no_template(folder):
    paths = [write(rows([TASK] * 9), folder / "t.parquet"), write(rows([f"{TASK} now"]), folder / "v.parquet")]
    assert miscounted(paths, written([], folder), 5, 8) == 0


def test_an_example_of_a_leak_is_given(folder):
    train = ["Sing a song", "Name the five largest rivers of the world in order", "Bake bread"]
    assert checked(train, ["Dance", " bake  BREAD"], folder).example == ("v-1", "t-2")
    near = checked(train, ["Dance", "Name the five largest rivers of the world in order please"], folder)
    assert (near.exact_overlap, near.near_overlap, near.example) == (0, 1, ("v-1", "t-1"))
    assert checked(train, ["Dance"], folder).example is None


def test_the_batch_size_changes_nothing(folder, monkeypatch):
    texts = templated(60, 3)
    whole = checked(texts[:40], texts[40:], folder, 0.4, 2)
    monkeypatch.setattr(module, "_ROWS", 7)
    assert checked(texts[:40], texts[40:], folder, 0.4, 2) == whole


def test_the_first_turn_of_the_user_is_compared(folder):
    conversation = rows(["How does bread rise in a cold oven, and why"], "v")
    conversation[0]["prompt"] = [
        {"role": "system", "content": "You know all about rivers."},
        *conversation[0]["prompt"],
        {"role": "assistant", "content": "It does not."},
        {"role": "user", "content": "Go on"},
    ]
    validation = write(conversation, folder / "turns.parquet")
    same = write(rows(["How does bread rise in a cold oven, and why"], "t"), folder / "same.parquet")
    other = write(rows(["Go on", "You know all about rivers."], "t"), folder / "other.parquet")
    assert check(same, validation, 0.5, 5).exact_overlap == 1
    assert check(other, validation, 0.5, 5).near_overlap == 0


def test_metrics_include_the_settings_of_the_check(folder):
    metrics = checked(["Sing a song"], ["Dance"], folder, 0.4, 3).model_dump()
    assert metrics == {
        "exact_overlap": 0,
        "near_overlap": 0,
        "similarity": 0.4,
        "ngram": 3,
        "template_ngrams": 0,
        "pairs_compared": 0,
    }
