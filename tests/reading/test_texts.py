"""Texts are cut between paragraphs, or sentences; what is too short is counted, not lost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import InputError
from tuner.generation.sources import Documents
from tuner.reading import texts


def documents(path: Path, **settings: object) -> Documents:
    return Documents.model_validate({"source": "documents", "path": str(path), **settings})


def test_paragraphs_stay_together_as_long_as_they_fit() -> None:
    assert texts.cut("One two.\n\nThree.\n \nFour five six.", 3) == ["One two.\n\nThree.", "Four five six."]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    assert texts.cut("One two. Three four! Five six seven eight.", 4) == [
        "One two. Three four!",
        "Five six seven eight.",
    ]


@given(st.lists(st.text("ab .\n", max_size=30)), st.integers(1, 9))
def test_no_word_is_lost(parts: list[str], most: int) -> None:
    text = "\n\n".join(parts)
    assert " ".join(texts.cut(text, most)).split() == text.split()


def test_what_is_too_short_is_no_piece_but_is_counted(tmp_path: Path) -> None:
    rows = [{"text": "Bread rises since yeast makes gas."}, {"text": "No."}, {"text": 7}, {"other": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = documents(tmp_path, words=[4, 90])
    assert [(piece.origin, piece.text) for piece in texts.pieces(source)] == [("a.jsonl 1", rows[0]["text"])]
    assert len(list(texts.every_piece(source))) == 4


def test_a_table_without_the_column_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "x"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl: has no column 'text'; name one of body as `column`"):
        list(texts.pieces(documents(tmp_path)))
