import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.curation import (
    changes,
    chats,
    drawn,
    hits,
    lines,
    planted,
    quality,
    real,
    sample,
    scale,
    solutions,
    speed,
    truth,
)
from benchmarks.curation.figures import Figure, summary, table
from benchmarks.curation.planted import Plan, Shares
from benchmarks.curation.rows import Row, Rows

# fmt: off
WORDS = [
    "river", "stone", "garden", "winter", "letter", "window", "silver", "morning", "market", "bridge",
    "candle", "forest", "paper", "kitchen", "summer", "island", "teacher", "doctor", "little", "yellow",
    "broken", "gentle", "hungry", "famous", "quiet", "simple", "distant", "modern", "carries", "follows",
    "paints", "remembers", "builds", "forgets", "reads", "answers", "opens", "crosses", "measures", "borrows",
    "slowly", "often", "never", "always", "together", "again",
]
# fmt: on


def sentence(rng: random.Random) -> str:
    return f"The {' '.join(rng.choices(WORDS, k=rng.randint(6, 14)))}."


SENTENCES = [sentence(random.Random(number)) for number in range(4000)]
PLAN = Plan(SENTENCES, 1200, Shares(personal=0.05, decoy=0.02, toxic=0.02, innocent=0.02, leak=0.02))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> sample.Sample:
    return sample.make(PLAN, tmp_path_factory.mktemp("planted"))


def of(made: sample.Sample, role: str) -> pl.DataFrame:
    """Rows of a role, with the texts of the base row that they come from."""
    base = made.rows.filter(pl.col("role") == "base").select("group", asked="instruction", answered="response")
    return made.rows.filter(pl.col("role") == role).join(base, on="group", how="left")


def normal(texts: pl.Series) -> list[list[str]]:
    return [truth.words(text) for text in texts]


def test_utterances_become_sentences_and_doubtful_ones_are_left_out():
    utterances = [
        "yes",
        "how are  you doing today friend",
        "How are YOU doing, today, friend?",
        "what the fuck is that now",
        "mail me at a@b.com now please",
    ]
    assert chats.chosen(utterances) == ["How are you doing today friend."]


def test_every_role_has_its_share_and_every_row_a_line_of_truth(made):
    roles, bases = PLAN.roles()
    for number, role in enumerate(planted.ROLES[1:], 1):
        assert np.count_nonzero(roles == number) == round(getattr(PLAN.shares, role) * PLAN.rows)
    plain = set(bases[roles == 0].tolist())
    assert len(plain) == np.count_nonzero(roles == 0)
    assert set(bases[(roles > 0) & (roles <= planted.ROLES.index("paraphrase"))].tolist()) <= plain
    assert len(made.rows) == PLAN.rows - made.alike > 0.98 * PLAN.rows
    assert made.rows["row_id"].n_unique() == len(made.rows)


def test_exact_duplicates_are_their_base_row_in_another_form(made):
    exact = of(made, "exact")
    assert normal(exact["instruction"]) == normal(exact["asked"])
    assert normal(exact["response"]) == normal(exact["answered"])
    assert set(exact["detail"]) == set(changes.VARIANTS)
    for name in ("upper case", "swapped case", "white space"):
        some = exact.filter(pl.col("detail") == name)
        assert (some["response"] != some["answered"]).all()


def test_every_form_that_is_planted_stands_for_the_same_text():
    row = Row("Is this fine... or off?", "The café has a great staff, fifty of them.\n\nJalapeño!")
    for seed in range(50):
        for name in changes.VARIANTS:
            other = changes.variant(row, name, random.Random(seed))
            assert truth.words(other.instruction) == truth.words(row.instruction)
            assert truth.words(other.response) == truth.words(row.response)


def test_near_duplicates_have_five_per_cent_of_their_words_edited(made):
    for row in of(made, "near").iter_rows(named=True):
        before = truth.words(f"{row['asked']} {row['answered']}")
        after = truth.words(f"{row['instruction']} {row['response']}")
        assert int(row["detail"]) == round(0.05 * len(before))
        assert 0 < distance(before, after) <= int(row["detail"])


@given(st.integers(10, 300), st.floats(0.001, 0.3), st.integers())
def test_edits_are_as_many_as_asked_for(words: int, share: float, seed: int):
    row = Row("one two three", " ".join(f"w{at}" for at in range(words)))
    other, edits = changes.edited(row, share, ["new"], random.Random(seed))
    before = truth.words(f"{row.instruction} {row.response}")
    assert edits == max(1, round(share * len(before)))
    assert 0 < distance(before, truth.words(f"{other.instruction} {other.response}")) <= edits


def distance(one: list[str], other: list[str]) -> int:
    """Levenshtein's distance of two lists of words."""
    row = list(range(len(other) + 1))
    for at, word in enumerate(one, 1):
        left, row[0] = row[0], at
        for then, against in enumerate(other, 1):
            left, row[then] = row[then], min(row[then] + 1, row[then - 1] + 1, left + (word != against))
    return row[-1]


def test_lines_stand_where_the_truth_says(made):
    for row in made.rows.filter(pl.col("start").is_not_null()).iter_rows(named=True):
        there = row["response"][row["start"] : row["end"]]
        match row["role"], row["detail"]:
            case "toxic", _:
                assert there in lines.TOXIC
            case "innocent", _:
                assert there in lines.INNOCENT
            case "personal", "email":
                assert there.count("@") == 1
            case "personal", "card":
                assert 14 <= sum(map(str.isdigit, there)) <= 16
            case "personal", _:
                assert any(map(str.isdigit, there)) or there.startswith("hf_")
    assert made.rows.filter(pl.col("role") == "personal")["start"].is_not_null().all()


def test_prompts_are_leaked_and_stand_in_no_other_row(made):
    prompts = PLAN.prompts()
    for row in made.rows.iter_rows(named=True):
        if row["role"] == "leak":
            assert prompts[int(row["detail"])] in row["instruction"]
    held_out = set(SENTENCES[:: planted.HELD_OUT])
    texts = " ".join(made.rows.filter(pl.col("role") == "base")["response"])
    assert not any(each in texts for each in held_out)


def test_rows_of_different_groups_are_far_apart(made):
    distinct = sample.without_copies(made.rows)
    groups = distinct["group"]
    pairs = truth.similar(distinct, sample.APART)
    assert (groups.gather(pairs["a"]) == groups.gather(pairs["b"])).all()


def test_the_same_plan_gives_the_same_rows_however_they_are_cut(made, tmp_path: Path):
    planted.write(PLAN, tmp_path, shard_rows=170, processes=1)
    again = pl.read_parquet(tmp_path / "rows.parquet")
    assert again.join(made.rows, on=["row_id", "instruction", "response"], how="semi").height == len(made.rows)


def test_similarity_is_counted_exactly():
    rows = Rows(SENTENCES, 5)
    texts = [rows(number) for number in range(12)]
    texts += [changes.edited(row, 0.1, WORDS, random.Random(1))[0] for row in texts]
    frame = pl.DataFrame(
        {"instruction": [row.instruction for row in texts], "response": [row.response for row in texts]}
    )
    sets = [truth.phrases(truth.words(f"{row.instruction} {row.response}")) for row in texts]
    expected = {
        (a, b): len(sets[a] & sets[b]) / len(sets[a] | sets[b])
        for a in range(len(sets))
        for b in range(a + 1, len(sets))
        if len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= 0.1
    }
    found = {(a, b): jaccard for a, b, jaccard in truth.similar(frame, 0.1).iter_rows()}
    assert found == pytest.approx(expected)
    assert len(found) >= 12


def test_scores_count_rows_that_are_together_rightly_and_pairs_that_are_found():
    clusters = np.array([0, 0, 1, 1, 1, 2])
    pairs = np.array([[0, 1], [2, 3], [3, 5]])
    assert truth.scores(clusters, pairs, pairs) == (4 / 5, 2 / 3)


def test_curation_finds_what_is_planted(made):
    figures = {figure.name: figure for figure in quality.duplicates(made)}
    assert all(figure.met for figure in figures.values() if figure.met is not None)
    assert 0.5 < figures["  similarity of edits of 5 % of the words, mean"].value < 0.75


def test_planted_lines_are_found(made):
    found = quality.lines(made)
    assert {figure.name for figure in found} >= {"personal data, iban, recall", "toxic lines, precision"}
    assert all(figure.value > 0.8 for figure in found)


def test_speeds_are_measured_from_end_to_end(made, tmp_path: Path):
    figures = speed.measure(made.file, 1000) + speed.near_duplicates(made.file, 1000, tmp_path)
    figures += speed.breakdown(made.file, 1000, made.file.with_name("prompts.jsonl"))
    assert all(figure.value > 0 for figure in figures)


def test_a_file_is_curated_in_a_process_that_is_watched(made, tmp_path: Path):
    run = scale.run(made.file, tmp_path / "curated")
    assert run.rows == len(made.rows) > run.kept > 0
    assert run.seconds >= run.steps["all"] > 0
    assert run.bytes > 50e6


def test_a_table_says_which_goals_are_met():
    figures = [Figure("speed", 10.0, "rows/s", least=5), Figure("memory", 3.0, "GB", most=2), Figure("size", 1.5)]
    shown = table("Figures", figures)
    assert "NOT MET" in shown and "goal: 5 or more" in shown and "goal: 2 or less" in shown
    assert summary(figures) == "\n1 of 2 goals met; not: memory"


ANSWER = "Count the loaves first. There are 4 on the shelf. Then add 3 rolls. That makes 7."


def test_solutions_are_steps_of_answers_and_copies_of_blocks():
    rows = solutions.made([(f"How many {n}?", ANSWER.replace("4", str(n))) for n in range(300)], 400, 100)
    assert len(rows) == 400
    assert rows["instruction"].str.contains("Step [2-9]").all()
    assert solutions.copies(rows)[-100:].all() and not solutions.copies(rows)[:-100].any()
    assert rows[:4]["instruction"].str.contains("How many").to_list() == [True, False, False, False]


def test_a_solution_is_cut_at_a_number_of_words():
    rows = solutions.made([("How many?", ANSWER * 30)] * 4, 4, 0)
    assert {len(text.split()) for text in rows["instruction"]} == {solutions.WORDS}


def test_loops_are_planted_behind_the_text():
    looped = real.planted([ANSWER] * 10)
    assert all(text.startswith(ANSWER) for text in looped)
    assert not real.loops([ANSWER]).any()
    assert real.loops(looped).any()


@pytest.mark.parametrize("name", drawn.FILES)
def test_labelled_texts_have_known_labels(name: str):
    texts = drawn.read(name)
    assert {text["kind"] for text in texts} == set(drawn.OTHER)
    assert {text["finish"] for text in texts} == {"stop", "length"}
    assert {label for text in texts for label in text["labels"]} <= {*drawn.BAD, "good", "gibberish", "other"}
    assert all(text["labels"] and ("good" not in text["labels"] or len(text["labels"]) == 1) for text in texts)
    assert all(text["text"].strip() for text in texts)


def test_texts_held_out_are_others_than_those_looked_at():
    seen, held_out = ({text["text"] for text in drawn.read(name)} for name in ("drawn", "held-out"))
    assert not seen & held_out
    assert {text["how"] for text in drawn.read("held-out")} <= {"chat", "magpie", "endless", "foreign", "mid"}


def test_a_share_stands_beside_its_interval():
    # By hand: (0.5 + z^2/40 -+ z sqrt(0.0125 + z^2/1600)) / (1 + z^2/20), z = 1.96.
    assert drawn.interval(np.arange(20) < 10) == "10 of 20, interval 29.9% to 70.1%"


def test_the_text_beside_a_drawn_one_is_good():
    whole = [{"kind": kind, "text": text, "finish": "stop", "labels": ["good"]} for kind, text in drawn.OTHER.items()]
    assert not drawn.rejected(whole).any()
    assert drawn.rejected([{**text, "finish": "length"} for text in whole]).all()
    assert not drawn.rejected([{**text, "finish": "length"} for text in whole], with_finish=False).any()


def test_hits_are_labelled_by_their_hash(tmp_path: Path):
    row = '{"messages": [{"content": "Ask lena@stein.de or 88.198.24.108."}], "n": 1}'
    (tmp_path / "set.jsonl").write_text(f"{row}\n\n{row}\n")
    found = hits.hits(hits.read(tmp_path))
    assert found[0] == ("email", "set.jsonl", 1, "Ask ", "lena@stein.de", " or 88.198.24.108.")
    assert [hit[:3] for hit in found] == [(kind, "set.jsonl", row) for row in (1, 2) for kind in ("email", "ip")]
    assert found[0].hash == found[2].hash != found[1].hash
    labels = hits.labels(f"{found[0].hash} +\n{found[1].hash}\t-\temail\nabc ?\n")
    figures = {figure.name: figure for figure in hits.precision(found, labels)}
    assert (figures["email, precision"].value, figures["ip, precision"].value) == (1, 0)
    assert hits.precision(found, {})[0].note == "0 read, 2 unread"


def test_what_is_planted_is_found():
    assert all(figure.met for figure in hits.recall(SENTENCES, planted=600))
