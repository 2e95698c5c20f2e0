"""Rows that contain benchmark prompts, and the files of prompts."""

import gzip
import hashlib
import json
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.columns.batch import Batch
from tuner.curation.detectors import benchmark_index, decontamination
from tuner.curation.detectors.prompts import Prompt, digests, read
from tuner.errors import InputError

ANY = st.text(st.characters(codec="utf-8"))

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
TRAIN = (
    "A train leaves the station at noon and travels east at sixty miles an hour. Another leaves two hours later at "
    "eighty miles an hour. How far from the station will the second train catch the first?"
)
SHORT = "What is the boiling point of gold?"


def batch(*rows):
    instruction, response = (pl.Series(column, dtype=pl.String) for column in zip(*rows, strict=True))
    stop = pl.Series(["stop"] * len(rows), dtype=pl.String)
    return Batch(instruction, response, stop, stop)


def index(*prompts, similarity=0.5):
    return benchmark_index.index(
        [Prompt(f"b.txt:{number}", text) for number, text in enumerate(prompts, 1)], similarity
    )


def verdict(row, *prompts, similarity=0.5):
    """The reasons, the prompt and the shared words of one row."""
    findings = decontamination.check(batch(row), index(*prompts, similarity=similarity))
    reasons = {name for name, flags in findings.reasons.items() if flags[0]}
    return reasons, findings.scores["benchmark"][0], findings.scores["benchmark_overlap"][0]


def words(text, begin, end):
    return " ".join(text.split()[begin:end])


def test_an_overlap_is_recorded_with_the_prompt_and_the_words():
    rows = batch(("Hello there", "General words."), (f"Please solve: {TRAIN}", "320 miles."), (SHORT, "2,970 degrees."))
    findings = decontamination.check(rows, index(LONG, TRAIN, SHORT))
    assert findings.reasons["benchmark_overlap"].tolist() == [False, True, True]
    assert findings.reasons["near_benchmark"].tolist() == [False, True, True]
    assert findings.scores["benchmark"].to_list() == [None, "b.txt:2", "b.txt:3"]
    assert findings.scores["benchmark_overlap"].to_list() == [None, TRAIN.lower()[:200], SHORT.lower()]


def test_thirteen_words_in_a_row_are_an_overlap_and_twelve_are_not():
    assert verdict((f"x y {words(LONG, 0, 13)} z", "a"), LONG + " and so on" * 50)[0] == {"benchmark_overlap"}
    assert verdict((f"x y {words(LONG, 0, 12)} z", "a"), LONG + " and so on" * 50)[0] == set()


def test_the_response_counts_too():
    reasons, name, shown = verdict(("Say it", f"I saw this: {TRAIN}"), SHORT, TRAIN)
    assert (reasons, name) == ({"benchmark_overlap"}, "b.txt:2")
    assert shown == TRAIN.lower()[:200]


def test_phrases_do_not_cross_from_one_text_into_the_other():
    assert verdict((words(LONG, 0, 7), words(LONG, 7, 13)), LONG) == (set(), None, None)


def test_seventy_percent_of_a_prompts_phrases_are_an_overlap():
    prompt = " ".join(f"w{number}" for number in range(17))  # ten 8-grams
    seven, six = (
        f"{words(prompt, 0, 11)} and {words(prompt, 7, 17)}",
        f"{words(prompt, 0, 10)} and {words(prompt, 7, 17)}",
    )
    assert verdict((seven, "x"), prompt, similarity=1)[0] == {"benchmark_overlap"}
    assert verdict((six, "x"), prompt, similarity=1)[0] == set()
    # Some in either text.
    assert verdict((words(prompt, 0, 11), words(prompt, 7, 17)), prompt, similarity=1)[0] == {"benchmark_overlap"}


def test_a_short_prompt_is_compared_whole_and_with_the_instruction_only():
    assert verdict((SHORT, "x"), SHORT)[0] == {"benchmark_overlap", "near_benchmark"}
    assert "benchmark_overlap" not in verdict((f"{SHORT} Tell me.", "x"), SHORT)[0]
    assert verdict(("Tell me", SHORT), SHORT)[0] == set()


def test_punctuation_case_and_line_breaks_do_not_hide_an_overlap():
    marked = "**" + TRAIN.upper().replace(" ", "  \n").replace(".", " — ").replace("?", "") + "**"
    assert verdict((marked, "x"), TRAIN)[:2] == ({"benchmark_overlap", "near_benchmark"}, "b.txt:1")


def test_near_is_a_limit_on_the_jaccard_similarity_of_five_grams():
    prompt = " ".join(f"w{number}" for number in range(14))  # ten 5-grams
    row = (f"{words(prompt, 0, 9)} x0 x1 x2 x3 x4", "r")  # ten too, five shared: 5 / 15
    assert verdict(row, prompt, similarity=0.33) == ({"near_benchmark"}, "b.txt:1", words(prompt, 0, 9))
    assert verdict(row, prompt, similarity=0.34) == (set(), None, None)


def test_the_prompt_with_the_longest_run_is_named_and_of_equals_the_first():
    other = f"{words(TRAIN, 0, 15)} something else altogether that nobody ever asked in an examination before"
    assert verdict((TRAIN, "x"), other, TRAIN)[1] == "b.txt:2"
    assert verdict((words(TRAIN, 0, 15), "x"), other, TRAIN)[1] == "b.txt:1"
    assert verdict((TRAIN, "x"), "x", TRAIN, TRAIN.upper())[1] == "b.txt:2"


def test_a_template_that_many_prompts_share_is_no_overlap():
    template = (
        "Answer the following multiple choice question by giving only the letter of the right answer and nothing else."
    )
    prompts = [f"{template} Question {n} of {n * 7} asks about item {n * 13} in list {n * 29}" for n in range(150)]
    assert verdict((f"{template} Which planet is the largest?", "B"), *prompts)[0] == set()
    assert verdict((f"{template} Which planet is the largest?", "B"), *prompts[:50])[0] == {"benchmark_overlap"}
    assert verdict((prompts[9], "x"), *prompts)[1] == "b.txt:10"


def test_other_scripts_have_words_too():
    prompt = "Qué río es más largo, सबसे 大きい?"
    written = prompt.replace("?", " … 😀").replace(",", " —").upper()
    assert verdict((written, "x"), prompt)[0] >= {"benchmark_overlap"}


def test_without_prompts_nothing_overlaps():
    findings = decontamination.check(batch((TRAIN, SHORT)), index("?!", ""))
    assert not any(flags.any() for flags in findings.reasons.values())


def test_rows_may_be_long_and_repeat_a_prompt():
    reasons, name, _ = verdict((TRAIN, f"{TRAIN} " * 500), TRAIN, f"{TRAIN} Explain.")
    assert (reasons, name) == ({"benchmark_overlap", "near_benchmark"}, "b.txt:1")


PIECES = st.one_of(
    ANY, st.sampled_from([TRAIN, SHORT, LONG, words(TRAIN, 3, 17), words(TRAIN, 9, 20), words(LONG, 2, 10), " and "])
)
TEXT = st.lists(PIECES, max_size=3).map(" ".join)


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), st.lists(TEXT, max_size=4), st.randoms())
def test_a_row_is_judged_alone(rows, prompts, rng):
    known = index(*prompts)
    order = rng.sample(range(len(rows)), len(rows))
    whole, shuffled = (decontamination.check(batch(*chosen), known) for chosen in (rows, [rows[i] for i in order]))
    for name, flags in whole.reasons.items():
        assert (shuffled.reasons[name] == flags[order]).all()
    for name, column in whole.scores.items():
        assert shuffled.scores[name].to_list() == [column[i] for i in order]
        assert [decontamination.check(batch(row), known).scores[name][0] for row in rows] == column.to_list()


def plain(text):
    return "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()


def grams(text, size):
    words_ = plain(text)
    return [tuple(words_[at : at + size]) for at in range(max(1, len(words_) - size + 1))] if words_ else []


ASCII = st.lists(st.sampled_from(["a", "b", "c", "d."]), max_size=24).map(" ".join)


@settings(max_examples=300)
@given(ASCII, ASCII, st.lists(ASCII, min_size=1, max_size=3), st.sampled_from([0.3, 0.5, 1.0]))
def test_reasons_follow_their_definitions(instruction, response, prompts, similarity):
    reasons, _, _ = verdict((instruction, response), *prompts, similarity=similarity)
    overlap = near = False
    for prompt in prompts:
        asked, held = (
            set(grams(prompt, 8)),
            {*grams(instruction, 8), *(gram for gram in grams(response, 8) if len(gram) == 8)},
        )
        shared = {gram for gram in grams(prompt, 13) if len(gram) == 13} & {
            *grams(instruction, 13),
            *grams(response, 13),
        }
        overlap |= bool(shared) or (bool(asked) and 10 * len(asked & held) >= 7 * len(asked))
        a, b = set(grams(instruction, 5)), set(grams(prompt, 5))
        near |= bool(a & b) and len(a & b) / len(a | b) >= similarity
    assert reasons == {name for name, yes in (("benchmark_overlap", overlap), ("near_benchmark", near)) if yes}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "lines.txt").write_text(f"{LONG}\n\n{SHORT}\n", encoding="utf-8")
    records = [{"id": 1, "question": TRAIN}, {"id": 2, "question": ""}, {"id": 3, "question": SHORT}]
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n\n", encoding="utf-8")
    pl.DataFrame({"text": [SHORT, None, TRAIN], "n": [1, 2, 3]}).write_parquet(tmp_path / "table.parquet")
    return tmp_path


def test_prompts_are_read_from_files_of_three_kinds(files):
    found = read([str(files / name) for name in ("lines.txt", "records.jsonl", "table.parquet")])
    assert [(prompt.name, prompt.text.strip()) for prompt in found] == [
        ("lines.txt:1", LONG),
        ("lines.txt:3", SHORT),
        ("records.jsonl:1", TRAIN),
        ("records.jsonl:3", SHORT),
        ("table.parquet:1", SHORT),
        ("table.parquet:3", TRAIN),
    ]


def test_the_first_field_that_a_file_has_is_read(files):
    (files / "more.jsonl").write_text(json.dumps({"text": "t", "instruction": "i", "prompt": "p"}), encoding="utf-8")
    assert [prompt.text for prompt in read([str(files / "more.jsonl")])] == ["p"]


@pytest.mark.parametrize(
    "record", [{"problem": "p"}, {"Question": "p"}, {"ctx": "p"}, {"input": "p", "target": "x"}, {"turns": ["p", "q"]}]
)
def test_benchmarks_are_read_as_they_are_published(record, tmp_path):
    line = json.dumps(record)
    (tmp_path / "x.jsonl").write_text(line, encoding="utf-8")
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "x.json").write_text(f"[\n{line}\n]", encoding="utf-8")
    (tmp_path / "y.json").write_text(json.dumps({"version": 1, "data": [record]}, indent=1), encoding="utf-8")
    pl.DataFrame([record]).write_parquet(tmp_path / "x.parquet")
    for file in sorted(tmp_path.glob("[xy].*")):
        assert [prompt.text for prompt in read([str(file)])] == ["p"]


def test_separated_values_may_hold_line_ends(tmp_path):
    (tmp_path / "x.csv").write_text('id,Question\n1,"one,\ntwo"\n2,three\n', encoding="utf-8")
    assert [(prompt.name, prompt.text) for prompt in read([str(tmp_path / "x.csv")])] == [
        ("x.csv:1", "one,\ntwo"),
        ("x.csv:2", "three"),
    ]


def test_a_settings_file_is_indexed_and_checked(files):
    benchmarks = decontamination.load(Decontamination(against=(str(files / "lines.txt"),), similarity=0.9))
    findings = decontamination.check(batch((f"{LONG} and more", "x")), benchmarks)
    assert findings.scores["benchmark"].to_list() == ["lines.txt:1"]
    assert decontamination.load(Decontamination(against=(str(files / "lines.txt"),), similarity=0.9)) is benchmarks
    (files / "lines.txt").write_text("something else\n", encoding="utf-8")
    changed = decontamination.load(Decontamination(against=(str(files / "lines.txt"),), similarity=0.9))
    assert not decontamination.check(batch((f"{LONG} and more", "x")), changed).reasons["benchmark_overlap"].any()


def test_files_in_packages_are_found_without_running_the_package(files, monkeypatch):
    package = files / "asked"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('was run')", encoding="utf-8")
    (files / "lines.txt").rename(package / "data" / "lines.txt")
    monkeypatch.syspath_prepend(files)
    assert [prompt.name for prompt in read(["package:asked/data/lines.txt"])] == ["lines.txt:1", "lines.txt:3"]
    assert "asked" not in sys.modules


def test_packages_may_be_named_by_their_distribution(files, monkeypatch):
    information = files / "asked_questions-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: asked-questions\nVersion: 1.0\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(files)
    assert len(read(["package:asked-questions/lines.txt"])) == 2


def test_a_digest_covers_the_content_and_the_name_but_not_the_folder(files):
    (files / "other").mkdir()
    (files / "other" / "lines.txt").write_bytes((files / "lines.txt").read_bytes())
    expected = [{"name": "lines.txt", "sha256": hashlib.sha256((files / "lines.txt").read_bytes()).hexdigest()}]
    assert digests([str(files / "lines.txt")]) == digests([str(files / "other" / "lines.txt")]) == expected
    assert digests([]) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("missing.txt", "there is no file"),
        ("lines.doc", "is none of .txt, .jsonl, .json"),
        (
            "other.jsonl",
            "has none of the fields prompt, question, problem, instruction, ctx, turns, input, text; it has answer",
        ),
        (
            "other.parquet",
            "has none of the fields prompt, question, problem, instruction, ctx, turns, input, text; it has n",
        ),
        ("empty.jsonl", "has none of the fields"),
        ("broken.jsonl", "broken.jsonl:1 is no JSON"),
        ("list.jsonl", "list.jsonl:1 is list, not an object"),
        ("broken.parquet", "is no Parquet file"),
        ("latin.txt", "is not UTF-8"),
        ("number.jsonl", "number.jsonl:2: prompt is int, not text"),
        ("numbers.parquet", "numbers.parquet:1: prompt is int, not text"),
        ("blank.txt", "holds no prompts"),
        ("package:nothing_of_this_name/a.txt", "no package 'nothing_of_this_name' is installed"),
        ("package:tuner", "must be package:NAME/path"),
        ("package:tuner/../a.txt", "must be package:NAME/path"),
        ("package:tuner/missing.txt", "there is no file"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path, monkeypatch, entry, message):
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "lines.doc": b"a",
        "other.jsonl": b'{"answer": "a"}',
        "empty.jsonl": b"\n",
        "broken.jsonl": b"{",
        "list.jsonl": b"[1]",
        "broken.parquet": b"PAR1",
        "latin.txt": b"caf\xe9",
        "number.jsonl": b'{"prompt": "a"}\n{"prompt": 1}',
        "blank.txt": b"\n \n",
    }.items():
        (tmp_path / name).write_bytes(content)
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "other.parquet")
    pl.DataFrame({"prompt": [1]}).write_parquet(tmp_path / "numbers.parquet")
    with pytest.raises(InputError, match=r"curation\.decontamination\.against: ") as caught:
        digests([entry])
        read([entry])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
