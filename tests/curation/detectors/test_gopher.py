"""Gopher's table A1, on both sides of every limit, and against an implementation in plain Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.repetition import Repetition
from tuner.curation.detectors.gopher import check

SCORES = ("gopher_lines", "gopher_top_ngram", "gopher_repeated_ngrams")
REASONS = dict(zip(SCORES, ("repeated_lines", "frequent_ngram", "repeated_ngrams"), strict=True))

# Short words and lines that come again and again, and enough of them to be looked at.
REPETITIVE = st.lists(
    st.tuples(
        st.sampled_from(["a", "bb", "ccc", "oven", "}", "--", "é", "A"]), st.sampled_from(" \n") | st.just("\n\n")
    ),
    min_size=40,
    max_size=120,
).map(lambda pairs: "".join(word + gap for word, gap in pairs))


def unique(count, begin=0):
    """Distinct words of five letters."""
    return [f"w{number:04}" for number in range(begin, begin + count)]


def found(response, **settings):
    findings = check(batch([("Explain ovens.", response)]), Repetition(**settings))
    assert set(findings.reasons) == set(REASONS.values())
    return {name: findings.scores[name][0] for name in SCORES}, [
        name for name, flags in findings.reasons.items() if flags[0]
    ]


@pytest.mark.parametrize(("size", "allowed"), [(2, 0.20), (3, 0.18), (4, 0.16)])
def test_the_most_frequent_phrase(size, allowed):
    # Of 600 words, and twice as many for four: so that both sides of the limit can be had.
    total, times = 1200, round(1200 * allowed) // size
    for count, fails in ((times, False), (times + 1, True)):
        # A word of its own behind each, so that no longer one recurs.
        phrase = unique(size)
        others = iter(unique(total, 100))
        spread = [word for _ in range(count) for word in (*phrase, next(others))]
        text = [*spread, *(next(others) for _ in range(total - len(spread)))]
        scores, reasons = found(" ".join(text))
        share = count * size / total
        ratios = [count * words / total / limit for words, limit in ((2, 0.20), (3, 0.18), (4, 0.16)) if words <= size]
        assert scores["gopher_top_ngram"] == pytest.approx(max(ratios))
        assert (share > allowed) is fails
        assert ("frequent_ngram" in reasons) is (max(ratios) > 1)


@pytest.mark.parametrize(("size", "allowed"), [(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)])
def test_repeated_phrases_by_their_length(size, allowed):
    # Pairs of one phrase: its repeats make up `size` words each of all.
    total = 2000
    times = round(total * allowed) // size
    for count, fails in ((times, False), (times + 1, True)):
        words = []
        for number in range(count):
            run = unique(size, 10 + number * size)
            words += [*run, f"x{number:04}", *run, f"y{number:04}"]
        words += [f"z{number:04}" for number in range(total - len(words))]
        scores, reasons = found(" ".join(words))
        assert len(words) == total
        # A phrase of 10 words repeated repeats those of 5 to 9 in it: the strictest limit is that of 10.
        assert scores["gopher_repeated_ngrams"] == pytest.approx(count * size / total / allowed)
        assert ("repeated_ngrams" in reasons) is fails
        assert scores["gopher_top_ngram"] < 1


def test_a_repeated_run_counts_whole_and_once():
    run = unique(7)
    words = [*run, *unique(40, 100), *run, *unique(46, 200)]
    assert found(" ".join(words))[0]["gopher_repeated_ngrams"] == pytest.approx(7 / 100 / 0.13)
    # 'ha ha ha ...': each character of the most frequent phrase once, though it begins at every word.
    scores, reasons = found("ha " * 100)
    assert scores["gopher_top_ngram"] == pytest.approx(1 / 0.16)
    assert scores["gopher_repeated_ngrams"] == pytest.approx(0.99 / 0.10)
    assert reasons == ["frequent_ngram", "repeated_ngrams"]


def lines_of(*sizes):
    """Lines of these numbers of words, all different."""
    numbers = iter(unique(1000))
    return [" ".join(next(numbers) for _ in range(size)) for size in sizes]


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \t\n\n"])
@pytest.mark.parametrize(("again", "fails"), [(3, False), (4, True)])
def test_duplicate_lines_and_paragraphs(gap, again, fails):
    # Of ten; short ones, so that their characters do not reach their own limit.
    first, *rest = lines_of(1, *[20] * (9 - again))
    assert found(gap.join([first] * (again + 1) + rest))[1] == (["repeated_lines"] if fails else [])


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize(("words", "fails"), [(19, False), (20, True)])
def test_characters_of_duplicate_lines_and_paragraphs(gap, words, fails):
    # One of six comes again and is a fifth of all characters, or more.
    line, *rest = lines_of(words, 15, 15, 15, 15)
    scores, reasons = found(gap.join([line, *rest, line]))
    assert scores["gopher_lines"] == pytest.approx(len(line) / (len("".join(rest)) + 2 * len(line)) / 0.20)
    assert ("repeated_lines" in reasons) is fails


def test_a_paragraph_of_lines_of_other_paragraphs_is_no_duplicate():
    a, b, c = lines_of(20, 20, 20)
    twice = found(f"{a}\n{b}\n\n{b}\n{c}")[0]["gopher_lines"]
    assert twice == pytest.approx(max(20 / 80 / 0.20, 1 / 4 / 0.30))


def test_good_answers_pass():
    code = "```python\ndef f(x):\n    if x:\n        return 1\n    return 2\n\n\ndef g(x):\n    return x\n```\n"
    braces = "\n".join(f"void {name}() {{\n    run_{name}(1);\n}}\n" for name in unique(20))
    table = "\n".join(["| name | value |", "| --- | --- |", *(f"| {name} | {name[1:]} |" for name in unique(12))])
    points = "\n".join(f"{i}. **Point {word}**: " + " ".join(unique(9, 20 * i)) for i, word in enumerate(unique(8)))
    for text in ("Yes.\nNo.\nYes.", "Ha ha ha ha ha.", "oven " * 49, braces, f"{code}{points}", f"{points}\n\n{table}"):
        assert found(text)[1] == []


def test_fewer_than_fifty_words_are_not_checked():
    assert found("oven " * 49) == (dict.fromkeys(SCORES), [])
    assert found("oven " * 50)[1] == ["frequent_ngram", "repeated_ngrams"]


def test_the_recipe_can_turn_it_off():
    assert found("oven " * 100, gopher=False) == (dict.fromkeys(SCORES), [])


def test_a_row_without_an_instruction_has_no_reason():
    findings = check(batch([("", "oven " * 60)]), Repetition())
    assert not any(flags.any() for flags in findings.reasons.values())


@given(st.one_of(st.lists(REPETITIVE, max_size=3).map(lambda texts: [("x", text) for text in texts]), PAIRS))
def test_every_row_is_measured_as_by_the_reference(pairs):
    rows = batch(pairs)
    findings = check(rows, Repetition())
    for place, (_, response) in enumerate(pairs):
        measured = [findings.scores[name][place] for name in SCORES]
        if reference.looked_at(response):
            assert measured == pytest.approx([reference.gopher_lines(response), *reference.gopher_phrases(response)])
        else:
            assert measured == [None] * 3
        fails = [findings.reasons[REASONS[name]][place] for name in SCORES]
        assert fails == [rows.whole[place] and (ratio or 0) > 1 for ratio in measured]


@given(PAIRS, st.lists(REPETITIVE, max_size=2))
def test_other_rows_do_not_matter(some, others):
    before = [("x", text) for text in others]
    alone, among = (check(batch(pairs), Repetition()) for pairs in (some, before + some))
    for name in SCORES:
        assert alone.scores[name].to_list() == among.scores[name].to_list()[len(before) :]


def test_a_response_of_megabytes_is_measured():
    scores, reasons = found("bread rises slowly\n" * 100_000)
    assert scores["gopher_lines"] == pytest.approx(0.99999 / 0.20)
    assert len(reasons) == 3
