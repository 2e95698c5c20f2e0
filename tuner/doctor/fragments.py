"""Which instructions are fragments: nothing a user would send, whatever it says.

The definitions are those of curation, and so are the names. Unlike there, an instruction is judged without a response.
"""

import numpy as np
import polars as pl

from tuner.curation.columns.batch import Batch, Flags
from tuner.curation.detectors import asking, form

KINDS = {
    "empty_instruction": "empty",
    "cut_instruction": "cut off at the limit of tokens",
    "instruction_pattern": "of marks only",
    "instruction_is_fragment": "begun or ended within a sentence",
}
"""What each kind of fragment is, by curation's reason for it."""


def alone(instructions: pl.Series, finishes: pl.Series) -> Batch:
    """Instructions without responses, as detectors read them; in Latin letters they count as English.

    Args:
        instructions: As they were written, shape (texts,).
        finishes: Why their generation ended; `length` means cut off.
    """
    nothing = pl.Series(["" for _ in range(len(instructions))], dtype=pl.String)
    return Batch(instructions, nothing, finishes, finishes, wanted=None)


def kinds(batch: Batch) -> dict[str, Flags]:
    """Which instructions are fragments of each of `KINDS`, shape (texts,) each; none is of two kinds.

    Args:
        batch: Made by `alone`.
    """
    no_english = np.zeros(len(batch), np.bool_)  # so that apologies do not count
    found = {
        "empty_instruction": batch.instruction_words.counts == 0,
        "cut_instruction": (batch.instruction_finish == "length").to_numpy(),
        "instruction_pattern": form.instruction_pattern(batch.normal_instruction, no_english),
        "instruction_is_fragment": asking.is_fragment(batch.instruction),
    }
    left = np.ones(len(batch), np.bool_)
    first: dict[str, Flags] = {}
    for kind in KINDS:
        first[kind] = found[kind] & left
        left &= ~found[kind]
    return first
