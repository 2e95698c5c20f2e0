"""Gopher's table A1, wider for short responses, on both sides of every limit; and against plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.curation import reference
from tests.curation.texts import PAIRS, batch
from tuner.curation.checks.repetition import Repetition
from tuner.curation.detectors.gopher import check, lines, phrases

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


def spelled(first, number):
    """A word of five letters."""
    return first + "".join("abcdefghij"[int(digit)] for digit in f"{number:04}")


def unique(count, begin=0):
    """Distinct words of five letters."""
    return [spelled("w", number) for number in range(begin, begin + count)]


def wider(words):
    """How much more a response of so many words may repeat than a long one."""
    return 1 + 400 / words


def found(response, **settings):
    findings = check(batch([("Explain ovens.", response)]), Repetition(**settings))
    assert set(findings.reasons) == set(REASONS.values())
    return {name: findings.scores[name][0] for name in SCORES}, [
        name for name, flags in findings.reasons.items() if flags[0]
    ]


@pytest.mark.parametrize(("size", "allowed"), [(2, 0.20), (3, 0.18), (4, 0.16)])
def test_the_most_frequent_phrase(size, allowed):
    # Of 600 words, and twice as many for four: so that both sides of the limit can be had.
    allowed *= wider(1200)
    total, times = 1200, int(1200 * allowed) // size
    for count, fails in ((times, False), (times + 1, True)):
        # A word of its own behind each, so that no longer one recurs.
        phrase = unique(size)
        others = iter(unique(total, 100))
        spread = [word for _ in range(count) for word in (*phrase, next(others))]
        text = [*spread, *(next(others) for _ in range(total - len(spread)))]
        scores, reasons = found(" ".join(text))
        share = count * size / total
        limits = [(words, limit * wider(total)) for words, limit in ((2, 0.20), (3, 0.18), (4, 0.16))]
        ratios = [count * words / total / limit for words, limit in limits if words <= size]
        assert scores["gopher_top_ngram"] == pytest.approx(max(ratios))
        assert (share > allowed) is fails
        assert ("frequent_ngram" in reasons) is (max(ratios) > 1)


@pytest.mark.parametrize(("size", "allowed"), [(5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)])
def test_repeated_phrases_by_their_length(size, allowed):
    # Pairs of one phrase: its repeats make up `size` words each of all.
    total = 2000
    allowed *= wider(total)
    times = int(total * allowed) // size
    for count, fails in ((times, False), (times + 1, True)):
        words = []
        for number in range(count):
            run = unique(size, 10 + number * size)
            words += [*run, spelled("x", number), *run, spelled("y", number)]
        words += [spelled("z", number) for number in range(total - len(words))]
        scores, reasons = found(" ".join(words))
        assert len(words) == total
        # A phrase of 10 words repeated repeats those of 5 to 9 in it: the strictest limit is that of 10.
        assert scores["gopher_repeated_ngrams"] == pytest.approx(count * size / total / allowed)
        assert ("repeated_ngrams" in reasons) is fails
        assert scores["gopher_top_ngram"] < 1


def test_a_repeated_run_counts_whole_and_once():
    run = unique(7)
    words = [*run, *unique(40, 100), *run, *unique(46, 200)]
    assert found(" ".join(words))[0]["gopher_repeated_ngrams"] == pytest.approx(7 / 100 / 0.13 / wider(100))
    # 'ha ha ha ...': each character of the most frequent phrase once, though it begins at every word.
    scores, reasons = found("ha " * 100)
    assert scores["gopher_top_ngram"] == pytest.approx(1 / 0.16 / wider(100))
    assert scores["gopher_repeated_ngrams"] == pytest.approx(0.99 / 0.10 / wider(100))
    assert reasons == ["frequent_ngram", "repeated_ngrams"]


def lines_of(*sizes):
    """Lines of these numbers of words, all different."""
    numbers = iter(unique(10_000))
    return [" ".join(next(numbers) for _ in range(size)) for size in sizes]


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n \t\n\n"])
@pytest.mark.parametrize(("again", "fails"), [(3, False), (4, True)])
def test_duplicate_lines_and_paragraphs(gap, again, fails):
    # Of ten; short ones, so that their characters do not reach their own limit.
    first, *rest = lines_of(1, *[400] * (9 - again))
    assert found(gap.join([first] * (again + 1) + rest))[1] == (["repeated_lines"] if fails else [])


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize(("words", "fails"), [(330, False), (340, True)])
def test_characters_of_duplicate_lines_and_paragraphs(gap, words, fails):
    # One of six comes again and is a fifth of all characters, or more.
    line, *rest = lines_of(words, 150, 150, 150, 150)
    scores, reasons = found(gap.join([line, *rest, line]))
    share = len(line) / (len("".join(rest)) + 2 * len(line))
    assert scores["gopher_lines"] == pytest.approx(share / 0.20 / wider(600 + 2 * words))
    assert ("repeated_lines" in reasons) is fails


def test_a_paragraph_of_lines_of_other_paragraphs_is_no_duplicate():
    a, b, c = lines_of(20, 20, 20)
    twice = found(f"{a}\n{b}\n\n{b}\n{c}")[0]["gopher_lines"]
    assert twice == pytest.approx(max(20 / 80 / 0.20, 1 / 4 / 0.30) / 3)


@pytest.mark.parametrize(
    ("names", "again"), [(("boat",), True), (("boat", "raft", "skiff", "canoe", "punt", "dory"), False)]
)
def test_a_short_list_may_not_be_the_same_points_over_and_over(names, again):
    points = "\n".join(f"- the old {names[number % len(names)]} of the miller" for number in range(12))
    assert ("repeated_lines" in found(points)[1]) is again


def test_good_answers_pass():
    code = "```python\ndef f(x):\n    if x:\n        return 1\n    return 2\n\n\ndef g(x):\n    return x\n```\n"
    braces = "\n".join(f"void {name}() {{\n    run_{name}(1);\n}}\n" for name in unique(20))
    table = "\n".join(["| name | value |", "| --- | --- |", *(f"| {name} | {name[1:]} |" for name in unique(12))])
    points = "\n".join(f"{i}. **Point {word}**: " + " ".join(unique(9, 20 * i)) for i, word in enumerate(unique(8)))
    for text in ("Yes.\nNo.\nYes.", "Ha ha ha ha ha.", "oven " * 49, braces, f"{code}{points}", f"{points}\n\n{table}"):
        assert found(text)[1] == []


def test_fewer_than_fifty_words_are_not_checked():
    assert found("oven " * 49) == (dict.fromkeys(SCORES), [])
    assert None not in found("oven " * 50)[0].values()


def test_phrases_are_those_of_prose():
    row = "| larch | stern and stem | no | yes |\n"
    assert found(row * 20)[0]["gopher_top_ngram"] == 0
    assert found("larch for stern and stem, " * 90)[0]["gopher_top_ngram"] > 1


def test_a_refrain_is_no_loop():
    verses = [" ".join(unique(16, 100 * number)) for number in range(4)]
    assert found("\n\n".join(f"{verse}\nhaul away my bonny boys\nand bring her home" for verse in verses))[1] == []


def test_the_recipe_can_turn_it_off():
    assert found("oven " * 100, gopher=False) == (dict.fromkeys(SCORES), [])


def test_a_row_without_an_instruction_has_no_reason():
    findings = check(batch([("", "oven " * 60)]), Repetition())
    assert not any(flags.any() for flags in findings.reasons.values())


@given(st.one_of(st.lists(REPETITIVE, max_size=3).map(lambda texts: [("x", text) for text in texts]), PAIRS))
def test_every_row_is_measured_as_by_the_reference(pairs):
    rows = batch(pairs)
    looked_at = np.array([reference.looked_at(response) for _, response in pairs], np.bool_)
    measured = [lines(rows.response, looked_at), *phrases(rows.response_words, looked_at)]
    for place, (_, response) in enumerate(pairs):
        known = [reference.gopher_lines(response), *reference.gopher_phrases(response)] if looked_at[place] else [0] * 3
        assert [each[place] for each in measured] == pytest.approx(known)


@given(PAIRS, st.lists(REPETITIVE, max_size=2))
def test_other_rows_do_not_matter(some, others):
    before = [("x", text) for text in others]
    alone, among = (check(batch(pairs), Repetition()) for pairs in (some, before + some))
    for name in SCORES:
        assert alone.scores[name].to_list() == among.scores[name].to_list()[len(before) :]


def test_a_response_of_megabytes_is_measured():
    scores, reasons = found("bread rises slowly\n" * 100_000)
    assert scores["gopher_lines"] == pytest.approx(0.99999 / 0.20 / wider(300_000))
    assert len(reasons) == 3
