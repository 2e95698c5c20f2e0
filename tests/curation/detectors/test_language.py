"""The language of a row, and rows that are too short or too mixed to judge."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.checks.language import Language
from tuner.curation.columns.batch import Batch
from tuner.curation.detectors.language import check, is_english
from tuner.errors import InputError

ANY = st.text(st.characters(codec="utf-8"))

FOREIGN = {
    "de": (
        "Was ist die Hauptstadt von Frankreich?",
        "Die Hauptstadt von Frankreich ist Paris, eine Stadt an der Seine.",
    ),
    "fr": (
        "Comment faire du pain à la maison ?",
        "Mélangez la farine, l'eau, le sel et la levure, puis laissez reposer.",
    ),
    "es": ("¿Por qué el cielo es azul?", "La atmósfera dispersa la luz azul más que la luz roja."),
    "it": (
        "Scrivi una breve storia di un gatto.",
        "C'era una volta un gatto che viveva in una piccola casa vicino al mare.",
    ),
    "pt": ("Explique o que é a fotossíntese.", "É o processo pelo qual as plantas transformam a luz em energia."),
    "nl": (
        "Hoe laat gaat de volgende trein?",
        "De volgende trein naar Utrecht vertrekt om kwart over vijf van spoor twee.",
    ),
    "sv": ("Vad heter huvudstaden i Sverige?", "Sveriges huvudstad heter Stockholm och ligger vid Mälaren."),
    "pl": ("Jak ugotować jajka na miękko?", "Włóż jajka do wrzącej wody i gotuj je przez cztery minuty."),
    "cs": ("Kolik obyvatel má Praha?", "V Praze žije více než jeden milion tři sta tisíc obyvatel."),
    "fi": ("Mikä on Suomen suurin järvi?", "Suomen suurin järvi on Saimaa, joka sijaitsee Kaakkois-Suomessa."),
    "tr": ("İstanbul'da kaç köprü var?", "Boğaz'ın üzerinde üç tane büyük köprü bulunmaktadır."),
    "ru": ("Почему небо голубое?", "Атмосфера рассеивает синий свет сильнее."),
    "zh": ("解释一下什么是机器学习", "机器学习是人工智能的一个分支。"),
    "ja": ("日本の首都はどこですか", "日本の首都は東京です。"),
    "ar": ("ما هي عاصمة مصر؟", "عاصمة مصر هي القاهرة."),
}

ENGLISH = [
    ("What is the capital of France?", "The capital of France is Paris, which lies on the river Seine."),
    ("WHY IS THE SKY BLUE?", "BECAUSE THE AIR SCATTERS BLUE LIGHT MORE THAN RED LIGHT."),
    (
        "sort a list in python pls",
        "```python\ndef ordered(items):\n    return sorted(items)\n```\nThat returns a new list.",
    ),
    ("Write a function that adds two numbers.", "def add(a, b):\n    return a + b\n\nprint(add(1, 2))"),
    ("Solve for x: 3x + 5 = 20.", "3x = 15, so x = 5."),
    ("List the\n\nplanets\nof the\nsolar system", "1. Mercury\n2. Venus\n3. Earth\n4. Mars\n5. Jupiter\n6. Saturn"),
    ("What does 'Guten Morgen' mean?", "It means good morning in German; 'guten Abend' is good evening."),
    # English asks for another language.
    ("Translate to German: I would like to order a pizza.", "Ich möchte eine Pizza mit Käse und Tomaten bestellen."),
    (
        "Write a poem about spring in Spanish.",
        "La primavera llega con flores y canto,\nel sol ilumina los campos verdes.",
    ),
    ("Name five Italian dishes, please.", "1. Risotto alla Milanese\n2. Ossobuco\n3. Tagliatelle al ragù\n4. Tiramisù"),
]

TOO_LITTLE = [
    ("", ""),
    ("What is 2+2?", "4"),
    ("5 * 7 = ?", "35"),
    ("😀", "😀😀"),
    ("Sort it", "```\n" + "x = sorted(y)\n" * 20 + "```"),
]


def batch(rows):
    instruction, response = (pl.Series(column, dtype=pl.String) for column in zip(*rows, strict=True))
    stop = pl.Series(["stop"] * len(rows), dtype=pl.String)
    return Batch(instruction, response, stop, stop)


@pytest.mark.parametrize("code", FOREIGN)
def test_foreign_rows_are_named_and_rejected_unless_wanted(code):
    rows = batch([FOREIGN[code]])
    findings = check(rows, Language())
    assert findings.reasons["wrong_language"].tolist() == [True]
    assert findings.scores["language"].to_list() == [code]
    assert findings.scores["language_confidence"][0] >= 0.5
    assert not check(rows, Language(wanted=("en", code))).reasons["wrong_language"].any()


@pytest.mark.parametrize("row", ENGLISH)
def test_english_rows_pass(row):
    assert not check(batch([row]), Language()).reasons["wrong_language"].any()


def test_english_rows_are_rejected_where_they_are_not_wanted():
    assert check(batch(ENGLISH[:3]), Language(wanted=("de",))).reasons["wrong_language"].all()


@pytest.mark.parametrize("row", TOO_LITTLE)
def test_too_little_text_is_not_judged(row):
    findings = check(batch([row]), Language(wanted=("de",), min_confidence=0))
    assert not findings.reasons["wrong_language"].any()
    assert findings.scores["language"].to_list() == [None]
    assert findings.scores["language_confidence"].to_list() == [None]


@pytest.mark.parametrize(
    ("instruction", "response", "judged"),
    [
        ("abcde fghij", "klmno pqrs.", False),
        ("abcde fghij", "klmno pqrst.", True),
        ("1 + 1 = 2; 3, 4 & 5 -> 6 [7] {8}", "~ | @ _ ^ `", False),
        ("приве", "тики", False),
        ("приве", "тикии", True),
        ("机器学", "习是人", False),
        ("机器学", "习是人工", True),
    ],
)
def test_a_row_is_judged_from_twenty_bytes_of_letters_on(instruction, response, judged):
    scores = check(batch([(instruction, response)]), Language()).scores
    assert [scores["language"][0] is not None, scores["language_confidence"][0] is not None] == [judged, judged]


def test_text_after_an_end_of_line_token_is_read():
    (question, answer), rejected = FOREIGN["de"], []
    for mark in ("</s>", "\n", "\0", "__label__en"):
        rejected.append(check(batch([(f"{mark} {question}", answer)]), Language()).reasons["wrong_language"][0])
    assert all(rejected)


def test_threads_may_examine_shards_side_by_side():
    shards = [batch([*FOREIGN.values(), *ENGLISH] * 10) for _ in range(8)]
    alone = check(shards[0], Language())
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda shard: check(shard, Language()), shards):
            assert (found.reasons["wrong_language"] == alone.reasons["wrong_language"]).all()
            for name, column in found.scores.items():
                assert column.equals(alone.scores[name])


def test_a_detector_that_is_less_sure_than_asked_for_rejects_nothing():
    rows = batch(list(FOREIGN.values()))
    confidence = check(rows, Language()).scores["language_confidence"]
    for minimum in (0.5, 0.9, 0.99):
        rejected = check(rows, Language(min_confidence=minimum)).reasons["wrong_language"]
        assert not rejected[(confidence < minimum).to_numpy()].any()


def test_code_in_a_foreign_answer_does_not_make_it_english():
    question, _ = FOREIGN["de"]
    code = "```python\n" + "# the quick brown fox jumps over the lazy dog\n" * 5 + "```"
    findings = check(batch([(question, f"{code}\nDas ist ein Beispiel für einen Kommentar.")]), Language())
    assert findings.scores["language"].to_list() == ["de"]


def test_a_language_that_the_detector_does_not_know_is_refused():
    with pytest.raises(InputError, match="knows no language 'xx'"):
        check(batch(ENGLISH[:1]), Language(wanted=("en", "xx")))


@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=5), st.randoms())
def test_a_row_is_judged_alone(rows, rng):
    order = rng.sample(range(len(rows)), len(rows))
    whole, shuffled = check(batch(rows), Language()), check(batch([rows[i] for i in order]), Language())
    for name in ("language", "language_confidence"):
        assert shuffled.scores[name].to_list() == [whole.scores[name][i] for i in order]
    assert (shuffled.reasons["wrong_language"] == whole.reasons["wrong_language"][order]).all()


def test_with_every_language_taken_the_lists_of_english_are_for_rows_in_latin_letters():
    rows = batch(
        [
            ("What is this?", "A bridge of stone."),
            ("Что это?", "Каменный мост."),
            ("Translate: bread", "面包面包面包面包"),
            ("翻译 please", "它是一座很老的石桥。"),
        ]
    )
    assert is_english(replace(rows, wanted=None)).tolist() == [True, False, True, False]
