"""Base rows: an instruction and a response of about 1 kB together, made of sentences that were shuffled.

A row is not a conversation that took place: its sentences come from anywhere in the text. That keeps rows apart: no two
share more than chance brings together. All sentences are dealt out to rows, then they are shuffled anew and dealt out
again, as often as rows are wanted. For a million rows that is some 120 times; a sentence stands in about 90 rows, each
time beside others.

Any row can be made alone, from the seed and its number, without those before it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

INSTRUCTION = (3, 5)
RESPONSE = (10, 16)
DEALT = INSTRUCTION[1] + RESPONSE[1]
"""Sentences that are dealt to a row, which uses some of them: at 11 words a sentence, 185 words on average."""
PARAGRAPH = 4
"""Sentences of a response up to a blank line."""


@dataclass(frozen=True)
class Row:
    """The two texts of a row."""

    instruction: str
    response: str


@dataclass(frozen=True)
class Rows:
    """Makes base rows.

    Attributes:
        sentences: What they are made of, at least DEALT.
        seed: Decides the shuffles.
    """

    sentences: Sequence[str]
    seed: int

    def __call__(self, number: int) -> Row:
        """The base row of a number."""
        shuffle, slot = divmod(number, len(self.sentences) // DEALT)
        order = _order(len(self.sentences), self.seed, shuffle)
        places: list[int] = order[slot * DEALT : (slot + 1) * DEALT].tolist()
        dealt = [self.sentences[at] for at in places]
        rng = random.Random(f"{self.seed} length {number}")
        asked, answered = rng.randint(*INSTRUCTION), rng.randint(*RESPONSE)
        answer = dealt[INSTRUCTION[1] : INSTRUCTION[1] + answered]
        paragraphs = [" ".join(answer[at : at + PARAGRAPH]) for at in range(0, answered, PARAGRAPH)]
        return Row(" ".join(dealt[:asked]), "\n\n".join(paragraphs))


@cache
def _order(sentences: int, seed: int, shuffle: int) -> NDArray[np.int32]:
    return np.random.default_rng([seed, shuffle]).permutation(sentences).astype(np.int32)
