"""Curation as a whole, from generated rows to verdicts: its files, its counts and its invariants."""

import random
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curation.rows import RESPONSE, SCHEMA, curated, good, row, shard, table
from tests.hollow import hollow
from tests.present import present
from tuner.artifacts import parquet
from tuner.curation.checks.balance import Balance
from tuner.curation.checks.duplicates import Duplicates, Near, Semantic
from tuner.curation.checks.quality import Quality
from tuner.curation.checks.safety import Safety
from tuner.curation.curate import check
from tuner.curation.metrics import Curated
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.errors import InputError, StageError
from tuner.progress import listening


def judged(rows, folder, curation=None):
    metrics = curated([shard(rows, folder / "shard.parquet")], curation or Curation(), folder)
    return metrics, by_id(table(folder))


def by_id(rows):
    return {row["row_id"]: row for row in rows.to_pylist()}


def kept(rows):
    return {name for name, row in rows.items() if row["verdict"] == "kept"}


# fmt: off
NOUNS = ["river", "stone", "garden", "bread", "water", "light", "house", "road", "music", "letter", "window", "forest"]
VERBS = ["carries", "holds", "finds", "keeps", "paints", "builds", "learns", "reads", "brings", "turns", "meets"]
# fmt: on


def story(index, words=60):
    """A row that is no near duplicate of those of other indices."""
    dice = random.Random(index)
    sentences = [
        f"The {dice.choice(NOUNS)} {dice.choice(VERBS)} {dice.randrange(10**6)} {dice.choice(NOUNS)}s."
        for _ in range(words // 5)
    ]
    return row(index, f"Describe how {index} of the {dice.choice(NOUNS)}s meet.", " ".join(sentences))


def test_every_row_stays_in_order_with_its_columns(tmp_path):
    first = shard([good(0), row(1, "", "")], tmp_path / "0.parquet")
    second = shard([row(0, row_id="42-1-0", shard=1, response="No.")], tmp_path / "1.parquet")
    curated([first, second], Curation(), tmp_path)
    written = table(tmp_path)
    before = pa.concat_tables([parquet.read(first), parquet.read(second)])
    assert written.select(SCHEMA.names).equals(before)
    for name in ("reasons", "marks"):
        assert written.schema.field(name).type == pa.list_(pa.field("element", pa.string()))
    assert {"verdict", "quality", "cluster", "duplicate_of", "similarity"} < set(written.column_names)


def test_verdicts_reasons_and_metrics(tmp_path):
    rows = [
        good(0),
        row(1, "", "", response_finish="skipped"),
        row(2, response=story(2)["response"].upper(), response_finish="length"),
        row(3, response="Sure!"),
        good(4) | {"instruction": " EXPLAIN how bread number 0 rises.", "response": good(0)["response"]},
    ]
    metrics, rows_by_id = judged(rows, tmp_path)
    assert [rows_by_id[f"42-0-{i}"]["reasons"] for i in range(5)] == [
        [],
        ["empty_instruction", "empty_response"],
        ["cut_response"],
        ["short_response", "response_pattern"],
        ["duplicate"],
    ]
    assert kept(rows_by_id) == {"42-0-0"}
    assert (rows_by_id["42-0-4"]["duplicate_of"], rows_by_id["42-0-4"]["similarity"]) == ("42-0-0", 1.0)
    assert (metrics.rows, metrics.kept, metrics.rejected) == (5, 1, 4)
    assert {name: count for name, count in metrics.funnel.items() if count} == {
        "empty_instruction": 1,
        "cut_response": 1,
        "short_response": 1,
        "duplicate": 1,
    }
    assert list(metrics.funnel) == list(metrics.reasons) == list(REASONS)
    assert metrics.clusters.largest == {"42-0-0": 2}


def test_kept_rows_are_ready_to_train_on(tmp_path):
    judged([story(0), row(1, "", ""), story(2)], tmp_path)
    examples = table(tmp_path, "kept").to_pylist()
    assert [example["row_id"] for example in examples] == ["42-0-0", "42-0-2"]
    for example, drawn in zip(examples, (story(0), story(2)), strict=True):
        assert example["messages"] == drawn["messages"]
        assert (example["prompt"], example["completion"]) == (drawn["messages"][:1], drawn["messages"][1:])


def test_a_near_duplicate_names_the_better_row_and_the_similarity(tmp_path):
    better = story(0)
    worse = story(0) | {"row_id": "42-0-1", "index": 1, "response": better["response"].removesuffix(".") + " then"}
    metrics, rows_by_id = judged([worse, better, story(2)], tmp_path)
    duplicate = rows_by_id["42-0-1"]
    assert duplicate["reasons"] == ["near_duplicate"]
    assert duplicate["duplicate_of"] == "42-0-0"
    assert 0.5 <= duplicate["similarity"] <= 1
    assert kept(rows_by_id) == {"42-0-0", "42-0-2"}
    assert duplicate["cluster"] == rows_by_id["42-0-0"]["cluster"] != rows_by_id["42-0-2"]["cluster"]
    assert metrics.clusters.model_dump() == {"number": 1, "rows": 2, "largest": {"42-0-1": 2}, "sizes": {"2": 1}}


def test_more_than_one_of_a_cluster_may_stay(tmp_path):
    rows = [good(0) | {"row_id": str(i), "response": f"{RESPONSE} So it goes {i}."} for i in range(4)]
    for keep in (1, 2, 4, 9):
        metrics, _ = judged(rows, tmp_path, Curation(duplicates=Duplicates(keep=keep)))
        assert metrics.kept == min(keep, 4)


def test_a_paraphrase_is_a_semantic_duplicate(tmp_path):
    asked = ["How do I bake a loaf of bread at home?", "What is the way to bake bread at home?", "Who was Galileo?"]
    rows = [story(i) | {"instruction": text} for i, text in enumerate(asked)]
    semantic = Curation(duplicates=Duplicates(semantic=Semantic(similarity=0.8)))
    metrics, rows_by_id = judged(rows, tmp_path, semantic)
    assert {name: count for name, count in metrics.funnel.items() if count} == {"semantic_duplicate": 1}
    (duplicate,) = [each for each in rows_by_id.values() if each["verdict"] == "rejected"]
    assert {duplicate["row_id"], duplicate["duplicate_of"]} == {"42-0-0", "42-0-1"}
    assert 0.8 <= duplicate["similarity"] < 1
    novelty = present(metrics.diversity.novelsum)
    assert (novelty.on, novelty.of) == ("minilm of the instruction", 2)
    # Of two rows it is a third of their distance, and two questions of nothing in common are about 1 apart.
    assert 0.25 < novelty.value < 0.4
    without = judged(rows, tmp_path)[0]
    assert without.kept == 3
    assert present(without.diversity.novelsum).on == "sets of words"


def test_without_near_only_exact_duplicates_are_rejected(tmp_path):
    near = story(0) | {"row_id": "near", "response": story(0)["response"] + " Then it ends."}
    metrics, _ = judged(
        [story(0), near, story(0) | {"row_id": "equal"}], tmp_path, Curation(duplicates=Duplicates(near=None))
    )
    assert {name: count for name, count in metrics.funnel.items() if count} == {"duplicate": 1}


def test_an_ignored_reason_is_a_mark_and_rejects_nothing(tmp_path):
    rows = [row(0, response_finish="length"), story(1), story(1) | {"row_id": "again"}]
    metrics, rows_by_id = judged(rows, tmp_path, Curation(ignore=("cut_response", "duplicate")))
    assert rows_by_id["42-0-0"]["marks"] == ["cut_response"]
    assert metrics.marks["duplicate"] == 1
    assert metrics.kept == 3


def with_mail():
    response = f"Write to ann.lee@gmail.com. {story(0)['response']}"
    return row(0, story(0)["instruction"], response)


class TestPersonalData:
    def judged(self, tmp_path, action):
        return judged([with_mail()], tmp_path, Curation(safety=Safety(personal_data=action)))[1]["42-0-0"]

    def test_redacted(self, tmp_path):
        row = self.judged(tmp_path, "redact")
        assert row["verdict"] == "kept"
        assert row["marks"] == ["personal_data"]
        assert row["response"].startswith("Write to [EMAIL]. ")
        (example,) = table(tmp_path, "kept").to_pylist()
        assert example["completion"] == [{"role": "assistant", "content": row["response"]}]

    def test_dropped(self, tmp_path):
        assert self.judged(tmp_path, "drop")["reasons"] == ["personal_data"]

    @pytest.mark.parametrize(("action", "marks"), [("mark", ["personal_data"]), ("leave", [])])
    def test_left(self, tmp_path, action, marks):
        row = self.judged(tmp_path, action)
        assert (row["verdict"], row["marks"], row["response"]) == ("kept", marks, with_mail()["response"])


def test_a_row_without_texts_has_no_score(tmp_path):
    _, rows_by_id = judged([row(0, "", ""), row(1, "Is it so?", "Yes, it is.")], tmp_path)
    empty, short = rows_by_id["42-0-0"], rows_by_id["42-0-1"]
    assert all(empty[name] is None for name in empty if name.startswith("quality") or name == "repetition_ratio")
    assert short["quality"] is not None
    assert short["repetition_ratio"] is None
    assert (short["instruction_words"], short["response_words"]) == (3, 3)


def test_a_low_score_rejects(tmp_path):
    score = judged([good(0)], tmp_path)[1]["42-0-0"]["quality"]
    assert judged([good(0)], tmp_path, Curation(quality=Quality(minimum=score)))[0].kept == 1
    low = Curation(quality=Quality(minimum=score + 0.001))
    assert judged([good(0)], tmp_path, low)[0].funnel["low_quality"] == 1


def test_a_good_row_is_never_dropped_as_a_duplicate_of_a_rejected_one(tmp_path):
    _, rows_by_id = judged([row(0, response_finish="length"), row(1)], tmp_path)
    cut, whole = rows_by_id["42-0-0"], rows_by_id["42-0-1"]
    assert (cut["reasons"], cut["duplicate_of"]) == (["cut_response", "duplicate"], "42-0-1")
    assert (whole["verdict"], whole["duplicate_of"]) == ("kept", None)


def test_empty_rows_are_not_called_duplicates(tmp_path):
    assert judged([row(0, "", ""), row(1, "", "")], tmp_path)[0].reasons["duplicate"] == 0


@pytest.mark.parametrize(("rows", "kept"), [(12, 12), (13, 10)])
def test_the_target_applies_beyond_a_fifth_more(tmp_path, rows, kept):
    metrics, _ = judged([story(i) for i in range(rows)], tmp_path, Curation(quality=Quality(target=10)))
    assert (metrics.kept, metrics.reasons["below_target"]) == (kept, rows - kept)


def test_top_k_keeps_the_best_k(tmp_path):
    rows = [story(i, words=20 + 10 * i) for i in range(6)]
    _, rows_by_id = judged(rows, tmp_path, Curation(quality=Quality(top_k=2)))
    scores = sorted((row["quality"] for row in rows_by_id.values()), reverse=True)
    assert sorted((rows_by_id[name]["quality"] for name in kept(rows_by_id)), reverse=True) == scores[:2]


def test_balance_limits_the_kept_rows_of_a_kind(tmp_path):
    rows = [story(i) for i in range(6)]
    metrics, _ = judged(rows, tmp_path, Curation(balance=Balance(at_most=4)))
    assert (metrics.kept, metrics.funnel["over_balance"]) == (4, 2)


def test_balance_by_category_needs_the_column(tmp_path):
    by_category = Curation(balance=Balance(by="category", at_most=1))
    with pytest.raises(InputError, match=r"curation\.balance\.by: the rows have no column `category`"):
        judged([story(0)], tmp_path, by_category)
    rows = pa.Table.from_pylist([story(i) for i in range(3)], schema=SCHEMA)
    parquet.write(rows.append_column("category", pa.array(["tales", "tales", "facts"])), tmp_path / "mine.parquet")
    assert curated([tmp_path / "mine.parquet"], by_category, tmp_path).kept == 2


def test_no_rows_give_no_rows(tmp_path):
    metrics, rows_by_id = judged([], tmp_path)
    assert (metrics.rows, metrics.kept, rows_by_id) == (0, 0, {})


def test_a_shard_passed_twice_is_an_error(tmp_path):
    path = shard([good(0)], tmp_path / "0.parquet")
    with pytest.raises(StageError, match="row_id"):
        curated([path, path], Curation(), tmp_path)


@pytest.mark.parametrize(("kept", "rejected", "in_funnel"), [(2, 2, 2), (1, 2, 1), (2, 1, 2)])
def test_counts_that_do_not_add_up_are_an_error(kept, rejected, in_funnel):
    with pytest.raises(StageError, match="add up"):
        check(hollow(Curated, rows=3, kept=kept, rejected=rejected, funnel={"toxic": in_funnel}))


def test_progress_reaches_the_total(tmp_path):
    paths = [shard([row(i, row_id=str(i))], tmp_path / f"{i}.parquet") for i in range(3)]
    events = []
    with listening(events.append):
        curated(paths, Curation(), tmp_path)
    assert [(event.stage, event.done, event.total) for event in events] == [("curate", i, 3) for i in (1, 2, 3)]


def test_equal_rows_give_equal_bytes(tmp_path):
    for name in "ab":
        judged([good(0), row(1), row(2), story(3)], tmp_path / name)
    for path in sorted((tmp_path / "a" / "curate").rglob("*.parquet")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


PHRASES = [
    "Explain how bread rises.",
    RESPONSE,
    RESPONSE.lower(),
    f"{RESPONSE} So it does.",
    story(1)["response"],
    "oven " * 12,
    "I cannot help you.",
    "Mail ann.lee@gmail.com or call 555-123-4567.",
    "kill",
    "中" * 9,
]
TEXT = st.one_of(st.sampled_from(PHRASES), st.text(st.characters(codec="utf-8"), max_size=40))
ROWS = st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["stop", "length"])), max_size=12)
CURATIONS = st.sampled_from(
    [
        Curation(),
        Curation(quality=Quality(target=2)),
        Curation(quality=Quality(top_k=1), balance=Balance(at_most=2)),
        Curation(duplicates=Duplicates(keep=2, near=Near(on=("instruction", "response", "both"), ngram=2))),
        Curation(safety=Safety(toxicity="redact")),
    ]
)


@settings(max_examples=15)
@given(ROWS, st.randoms(use_true_random=False), CURATIONS)
def test_any_rows_in_any_order(drawn, rng, curation):
    rows = [row(i, one, other, response_finish=finish) for i, (one, other, finish) in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metrics, rows_by_id = judged(rows, folder, curation)
        assert metrics.kept + sum(metrics.funnel.values()) == metrics.rows == len(rows)
        assert len(kept(rows_by_id)) == metrics.kept
        stays = table(folder, "kept").to_pylist()
        assert {example["row_id"] for example in stays} == kept(rows_by_id)

        shuffled = random.Random(rng.random()).sample(rows, len(rows))
        _, again = judged(shuffled, folder, curation)
        same = [name for name in next(iter(rows_by_id.values()), {}) if name != "cluster"]
        for row_id, was in rows_by_id.items():
            assert {name: again[row_id][name] for name in same} == {name: was[name] for name in same}

        once_more = [
            row(index, *(message["content"] for message in example["messages"])) | {"row_id": example["row_id"]}
            for index, example in enumerate(stays)
        ]
        assert judged(once_more, folder, curation)[0].kept == len(stays)


@settings(max_examples=15)
@given(ROWS, ROWS)
def test_another_row_changes_only_the_reasons_of_duplicates(some, more):
    def reasons(drawn):
        rows = [row(i, one, other, response_finish=finish) for i, (one, other, finish) in enumerate(drawn)]
        with tempfile.TemporaryDirectory() as name:
            rows_by_id = judged(rows, Path(name))[1]
        return [[r for r in rows_by_id[row["row_id"]]["reasons"] if "duplicate" not in r] for row in rows]

    assert reasons([*some, *more])[: len(some)] == reasons(some)
