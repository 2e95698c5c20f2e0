"""Texts that look like those of instruction data, and arbitrary ones, for the tests of checks."""

import polars as pl
from hypothesis import strategies as st

from tuner.curation.columns.batch import Batch

PIECES = [
    "Yeast eats the sugar in the dough and gives off gas.",
    "The oven's heat sets the loaf",
    "1. **Knead** the dough for ten minutes.",
    "- Let it rise",
    "* Bake it",
    "```python",
    "for loaf in oven:\n    print(loaf)",
    "```",
    "I can't help with that.",
    "I’m unable to say",
    "I'm sorry, but I will not.",
    "As an AI language model, I do not bake.",
    "as an AI engineer you bake",
    "Hello!",
    "kill",
    "skill, killing",
    "hack into",
    "educational study",
    "Explain how and why?",
    "the the the of of",
    "oven oven oven oven",
    "bake at home, bake at home, bake at home",
    "café — naïve 中文 😀",
    "مرحبا",
    "straße \ufb01ne ½",
    "\x00",
    ":(",
    "(",
    ",",
    "•",
    "...",
    "#",
]
GAPS = [" ", " ", " ", "  ", "\n", "\n\n", "\n \n", "\t", "\r\n", "\u00a0", "\u2028", "\x1c", "\u3000", ""]
PIECE = st.one_of(st.sampled_from(PIECES), st.text(st.characters(codec="utf-8"), max_size=8))
TEXT = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.lists(st.tuples(PIECE, st.sampled_from(GAPS)), max_size=25).map(
        lambda pairs: "".join(piece + gap for piece, gap in pairs)
    ),
)
"""From nothing to a few hundred words, of what the rules look for and of anything."""

PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=6)


def batch(pairs, finishes=None, wanted=("en",)) -> Batch:
    """Rows of (instruction, response), with (instruction_finish, response_finish) where they matter."""
    columns = [*zip(*pairs, strict=True)] or [(), ()]
    ends = [*zip(*finishes, strict=True)] if finishes else [["stop"] * len(pairs)] * 2
    asked, answered, *finish = (pl.Series(list(values), dtype=pl.String) for values in (*columns, *ends))
    return Batch(asked, answered, finish[0], finish[1], wanted=wanted)
