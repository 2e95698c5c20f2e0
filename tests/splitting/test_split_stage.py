"""Sides depend on the instructions alone; equal or near rows are on one side; leaks are found."""

import hashlib
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hollow import hollow
from tests.splitting.rows import MESSAGES, near_pairs, row, rows, templates, write
from tests.splitting.test_join import templated
from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise
from tuner.curation.metrics import Curated
from tuner.errors import StageError
from tuner.splitting import placement, writing
from tuner.splitting import templates as phrases_of_templates
from tuner.splitting.settings import Split
from tuner.splitting.shares import side
from tuner.splitting.sides import SIDES, TRAIN, VALIDATION, file_of
from tuner.splitting.split import split

CURATED = hollow(Curated, rows=6, kept=3, funnel={"empty": 0, "short_response": 1, "toxic": 2})
ENOUGH = rows([f"Instruction number {i}" for i in range(40)], "enough")


def split_rows(kept, folder, former=None, shards=1, validation=0.5, **settings):
    size = -(-len(kept) // shards)
    paths = [write(kept[at : at + size], folder / f"{at}.parquet") for at in range(0, len(kept), size)]
    metrics = split(paths, Split(validation=validation, **settings), former, CURATED, folder)
    return metrics, *(sides(folder)[name] for name in ("train", "validation"))


def sides(folder):
    """The written rows, by side."""
    paths = {name: folder / file_of(name) for name in SIDES}
    return {name: parquet.read(path).to_pylist() for name, path in paths.items() if path.exists()}


def ids(rows):
    return {row["row_id"] for row in rows}


def instructions(rows):
    return [row["prompt"][0]["content"] for row in rows]


def test_every_kept_row_is_on_exactly_one_side(tmp_path):
    metrics, train, validation = split_rows(ENOUGH, tmp_path)
    assert ids(train) | ids(validation) == ids(ENOUGH)
    assert not ids(train) & ids(validation)
    assert parquet.read(tmp_path / "left_out.parquet").num_rows == 0
    assert metrics.model_dump() == {
        "train": len(train),
        "validation": len(validation),
        "left_out": 0,
        "former_rows": 0,
        "clusters": 0,
        "clustered_rows": 0,
        "largest_cluster": 1,
        "check": {
            "exact_overlap": 0,
            "near_overlap": 0,
            "similarity": 0.5,
            "ngram": 5,
            "template_ngrams": 0,
            "pairs_compared": 0,
        },
    }
    assert parquet.read(tmp_path / "templates.parquet").schema.names == ["phrase", "instructions"]
    assert parquet.read(tmp_path / "templates.parquet").num_rows == 0


def test_rows_are_written_unchanged_and_in_order(tmp_path):
    _, train, _ = split_rows(ENOUGH, tmp_path)
    wanted = {row["row_id"]: row for row in ENOUGH}
    for written in train:
        assert list(written) == ["row_id", "prompt", "completion", "messages"]
        assert written == {key: wanted[written["row_id"]][key] for key in written}
    assert [row["row_id"] for row in train] == [row["row_id"] for row in ENOUGH if row["row_id"] in ids(train)]
    assert parquet.read(tmp_path / "train.parquet").schema.field("prompt").type.value_type == MESSAGES.value_type


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_held_out_share_is_as_configured(share):
    held_out = sum(side(f"Instruction {i}", share) == "validation" for i in range(4000)) / 4000
    # Three standard deviations of a share of 4,000 rows are at most 0.024.
    assert held_out == pytest.approx(share, abs=0.024)


def test_a_side_is_a_hash_of_the_normalised_text_under_the_share(tmp_path):
    # A change would move rows across: rows once trained on would be held out.
    digests = [hashlib.sha256(b"split/1\ninstruction number %d" % i).digest() for i in range(40)]
    held_out = [i for i, digest in enumerate(digests) if int.from_bytes(digest[:8], "big") < 0.1 * 2**64]
    assert held_out
    assert [i for i in range(40) if side(f"Instruction number {i}", 0.1) == "validation"] == held_out
    assert ids(split_rows(ENOUGH, tmp_path, validation=0.1)[2]) == {f"enough-{i}" for i in held_out}


@given(st.text(st.characters(codec="utf-8")), st.floats(0.01, 0.98))
def test_a_larger_share_moves_rows_one_way_only(instruction, share):
    if side(instruction, share) == "validation":
        assert side(instruction, share + 0.01) == "validation"


def test_large_clusters_are_held_out_no_more_often_than_single_rows(tmp_path):
    # 400 clusters of 20: if one low hash were enough to hold a cluster out, 88 % of them would be.
    texts = [f"a{i} b{i} c{i} d{i} e{i} f{i} g{i} {j}" for i in range(400) for j in range(20)]
    metrics, _, validation = split_rows(rows(texts), tmp_path, validation=0.1)
    assert metrics.clusters == 400
    assert metrics.clustered_rows == 8000
    assert metrics.largest_cluster == 20
    assert len(validation) / 8000 == pytest.approx(0.1, abs=3 * (0.1 * 0.9 / 400) ** 0.5)


INSTRUCTIONS = st.one_of(
    st.sampled_from(["Bake bread", " bake  BREAD", "Bake\u00a0bread\n", "Straße", "STRASSE", "café", "Cafe\u0301"]),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.integers(0, 9).map(lambda seed: templated(1, seed)[0]),
)


@settings(max_examples=40)
@given(
    st.lists(INSTRUCTIONS, max_size=20), st.integers(0, 99), st.sampled_from([0.2, 0.8]), st.sampled_from([0.3, 0.5])
)
def test_no_equal_or_near_rows_are_on_both_sides(some, seed, share, similarity):
    kept = [*ENOUGH, *rows([*some, *templated(20, seed)])]
    with tempfile.TemporaryDirectory() as name:
        try:
            _, train, validation = split_rows(kept, Path(name), validation=share, similarity=similarity, ngram=2)
        except StageError as error:
            # All `Instruction number` rows are one cluster here, which may leave a side empty.
            assert "at least 2 each are needed" in str(error)
            return
    assert ids(train) | ids(validation) == ids(kept)
    assert not {normalise(text) for text in instructions(train)} & {
        normalise(text) for text in instructions(validation)
    }
    shared = templates(instructions(kept), 2)
    assert not near_pairs(instructions(train), instructions(validation), similarity, 2, shared)


@settings(max_examples=20)
@given(st.permutations([*ENOUGH[:10], *rows(templated(30, 1))]), st.integers(1, 4))
def test_order_and_shards_do_not_matter(kept, shards):
    with tempfile.TemporaryDirectory() as name:
        _, train, validation = split_rows(kept, Path(name), shards=shards, ngram=2)
        ordered = sorted(kept, key=lambda row: row["row_id"])
        _, *wanted = split_rows(ordered, Path(name), ngram=2)
    assert [ids(train), ids(validation)] == [ids(rows) for rows in wanted]


def test_conversations_are_compared_by_the_first_user_turn(tmp_path):
    def conversation(row_id, system, instruction, *more):
        turns = [("system", system), ("user", instruction), *(("user", turn) for turn in more)]
        conversation = row(row_id, instruction)
        conversation["prompt"] = [{"role": role, "content": content} for role, content in turns]
        return conversation

    kept = [conversation(f"c{i}", "You are a pirate.", f"Instruction number {i}", "Go on") for i in range(40)]
    kept += [conversation(f"d{i}", f"You are pirate {i}.", f" INSTRUCTION number {i}") for i in range(40)]
    metrics, _, validation = split_rows(kept, tmp_path, validation=0.1)
    held_out = [i for i in range(40) if side(f"Instruction number {i}", 0.1) == "validation"]
    assert ids(validation) == {f"{name}{i}" for name in "cd" for i in held_out}
    assert metrics.clusters == 40


def letters(number, seed=0):
    """Different texts of made-up words, none near to another."""
    rng = random.Random(seed)
    return [" ".join(f"word{rng.randrange(5000)}" for _ in range(rng.randint(12, 20))) for _ in range(number)]


TICKET = (
    "You are the first to read what people write to a library that lends tools. Read the message and answer with the "
    "name of the one desk that should get it, which is repairs, payments, opening hours or lost tools, in one word and "
    "without a full stop, and with nothing else at all. This is the message:"
)


def tickets(number, seed=0):
    """Texts under one task description, near to one another as a whole, but not in what is asked."""
    return [f"{TICKET} {letter}" for letter in letters(number, seed)]


def test_tickets_under_one_task_are_split(tmp_path):
    kept = rows(tickets(200), "ticket")
    assert len(near_pairs(instructions(kept[:20]), instructions(kept[20:40]))) == 400
    metrics, train, validation = split_rows(kept, tmp_path, validation=0.1)
    assert (metrics.clusters, metrics.largest_cluster, metrics.check.near_overlap) == (0, 1, 0)
    held_out = {row["row_id"] for row in kept if side(row["instruction"], 0.1) == "validation"}
    assert ids(validation) == held_out
    assert len(train) == 200 - len(held_out)
    phrases = parquet.read(tmp_path / "templates.parquet").to_pylist()
    words = normalise(TICKET).split()
    assert {row["phrase"]: row["instructions"] for row in phrases} == {
        " ".join(words[at : at + 5]): 200 for at in range(len(words) - 4)
    }
    assert metrics.check.template_ngrams == len(phrases)


def test_equal_and_near_tickets_stay_together(tmp_path):
    texts = tickets(200)
    kept = [*rows(texts, "ticket"), *rows(map(str.upper, texts), "equal")]
    kept += rows([text.replace(" word", " thank you word", 1) for text in texts], "near")
    metrics, _, validation = split_rows(kept, tmp_path)
    assert metrics.clusters == 200
    assert metrics.largest_cluster == 3
    held_out = {row_id.split("-")[1] for row_id in ids(validation)}
    assert ids(validation) == {f"{name}-{number}" for name in ("ticket", "equal", "near") for number in held_out}


def test_phrases_of_templates_are_those_that_many_instructions_hold(tmp_path):
    texts = [f"为我们的城市写一首诗\N{FULLWIDTH COMMA}说说{letter} ok" for letter in map(chr, range(0x4E00, 0x4E28))]
    texts += [f"Say in GERMAN how  you liked {letter}" for letter in letters(7)]
    split_rows(rows(texts), tmp_path, shards=3)
    # A mark of punctuation belongs to the character before it.
    words = ["为", "我", "们", "的", "城", "市", "写", "一", "首", "诗,", "说", "说"]
    assert parquet.read(tmp_path / "templates.parquet").to_pylist() == [
        {"phrase": phrase, "instructions": 40} for phrase in sorted("".join(words[at : at + 5]) for at in range(8))
    ]


def test_miscounted_templates_are_found(tmp_path, monkeypatch):
    counted = phrases_of_templates.counted
    monkeypatch.setattr(phrases_of_templates, "counted", lambda *arguments: counted(*arguments)[1:])
    with pytest.raises(StageError, match="1 phrases of templates were miscounted; the split was discarded"):
        split_rows(rows(tickets(200)), tmp_path)
    assert not (tmp_path / "train.parquet").exists()


def test_rows_without_a_prompt_are_one_cluster(tmp_path):
    kept = [*ENOUGH, *({**row(f"empty{i}", ""), "prompt": []} for i in range(3)), row("blank", " \n")]
    metrics, train, validation = split_rows(kept, tmp_path)
    assert metrics.largest_cluster == 4
    assert len(train) + len(validation) == len(kept)


def test_bytes_do_not_depend_on_sharding(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "_GROUP", 7)
    files = []
    for shards in (1, 3, 40):
        folder = tmp_path / str(shards)
        split_rows([*ENOUGH, *rows(tickets(20))], folder, shards=shards)
        files.append(
            [(folder / f"{name}.parquet").read_bytes() for name in ("train", "validation", "left_out", "templates")]
        )
    assert files[0] == files[1] == files[2]


def test_a_leak_from_broken_clustering_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(placement, "components", lambda sets, similarity: np.arange(len(sets)))
    texts = [f"Tell me all about the great river number {i} of the world" for i in range(10)]
    with pytest.raises(StageError, match=r"0 validation rows equal to and [1-9] near training rows, such as r-") as e:
        split_rows(rows(texts), tmp_path, ngram=2)
    assert "\n" not in str(e.value)
    assert not (tmp_path / "train.parquet").exists()
    assert not (tmp_path / "validation.parquet").exists()


def test_a_leak_of_equal_rows_is_found(tmp_path, monkeypatch):
    def alternating(clusters, rows, split):
        return np.where(np.arange(clusters.size) % 2, VALIDATION, TRAIN).astype(np.int8)

    monkeypatch.setattr(placement, "_cluster_sides", alternating)
    with pytest.raises(StageError, match="1 validation rows equal to and 1 near"):
        split_rows(rows(["Bake bread", " bake BREAD", "Sing", "Dance"]), tmp_path)


def test_too_few_rows_are_explained_in_one_line(tmp_path):
    with pytest.raises(StageError) as raised:
        split_rows(rows(["Bake bread"] * 3), tmp_path)
    line = str(raised.value)
    assert "of 6 rows 3 were kept; rejected: 2 toxic, 1 short_response; 3 have near instructions" in line
    assert "\n" not in line
    assert not (tmp_path / "train.parquet").exists()


@pytest.mark.parametrize(("train", "validation", "fails"), [(2, 2, False), (1, 2, True), (2, 1, True), (0, 0, True)])
def test_each_side_needs_two_rows(tmp_path, train, validation, fails):
    texts = {"train": [], "validation": []}
    for i in range(40):
        texts[side(f"text {i}", 0.5)].append(f"text {i}")
    kept = [row(text, text) for text in texts["train"][:train] + texts["validation"][:validation]]
    if not kept:
        kept_path = write([], tmp_path / "none.parquet")
        with pytest.raises(StageError, match="0 rows for training and 0 for validation"):
            split([kept_path], Split(), None, CURATED, tmp_path)
    elif fails:
        with pytest.raises(StageError, match=f"{train} rows for training and {validation} for validation"):
            split_rows(kept, tmp_path)
    else:
        assert split_rows(kept, tmp_path)[0].train == 2
