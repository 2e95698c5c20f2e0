"""Instructions that hold their own solution, or begin in the middle of one, as most of the project's first run did.

Of its 1,500 instructions 1,264 held `## Step`, and most were cut off at 256 tokens. They are not published, so rows of
the same kinds are made of a data set's own: its answers become steps, behind the question or without it, and some
begin within a sentence. 700 of the 1,500 were copies, in blocks that were drawn again; so are as many of these.
"""

import re
from collections.abc import Sequence

import polars as pl

WORDS = 190
"""About 256 tokens."""
ROWS, COPIES, BLOCK = 1500, 700, 100
WITHIN = 7
"""Words left out of a solution that begins within a sentence."""

_TITLES = ("Understand the problem", "Find what is known", "Work it out", "Put it together", "Check the result")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def made(pairs: Sequence[tuple[str, str]], rows: int = ROWS, copies: int = COPIES) -> pl.DataFrame:
    """The columns `instruction` and `response` of so many rows, of which the last are copies of whole blocks.

    Args:
        pairs: Instructions and their responses; those of fewer than two sentences are passed over.
        rows: With the copies.
        copies: How many rows repeat an earlier one byte by byte.
    """
    parts = [(asked, sentences(answered)) for asked, answered in pairs]
    usable = [(asked, said) for asked, said in parts if len(said) > 1]
    own = [_row(number, *usable[number % len(usable)]) for number in range(min(rows - copies, len(usable)))]
    replayed = [own[number % BLOCK + BLOCK * (number // BLOCK % (len(own) // BLOCK))] for number in range(copies)]
    return pl.DataFrame([*own, *replayed], schema=["instruction", "response"], orient="row")


def copies(rows: pl.DataFrame) -> pl.Series:
    """Which rows repeat an earlier one."""
    return ~rows.select(pl.struct("instruction", "response").is_first_distinct()).to_series()


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def _row(number: int, asked: str, said: list[str]) -> tuple[str, str]:
    steps = [f"{_TITLES[at % len(_TITLES)]}\n{sentence}" for at, sentence in enumerate(said)]
    mark = ("## Step {}: ", "## Step {}: ", "### Step {}: ", "**Step {}:** ")[number // 4 % 4]
    body = "\n\n".join(f"{mark.format(at)}{step}" for at, step in enumerate(steps, 1))
    match number % 4:
        case 0:
            text = f"{asked}\n\n{body}"
        case 1:
            text = body
        case 2:  # from the second step on
            text = body[body.index(mark.format(2)) :]
        case _:  # from within the first sentence on
            text = " ".join(said[0].split()[WITHIN:]) + body[body.index(steps[0]) + len(steps[0]) :]
    return _cut(text), f"The final answer is as follows. {said[-1]} This is what was to be found."


def _cut(text: str) -> str:
    """The text up to a number of words, with its line breaks."""
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    return text[: ends[WORDS - 1]] if len(ends) > WORDS else text
