"""How much of a text is written in Latin letters.

Only letters count: accented Latin is Latin; digits, punctuation, signs of mathematics and typography, and emoji are
nothing. A Greek letter counts only directly behind another one, since formulas use single ones. Scripts are told apart
by the first bytes of UTF-8.
"""

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from tuner.curation.columns.words import I64, utf8

# fmt: off
LATIN = frozenset(
    {"af", "an", "az", "br", "bs", "ca", "ceb", "co", "cs", "cy", "da", "de", "diq", "en", "eo", "es", "et", "eu",
     "fi", "fr", "fy", "ga", "gd", "gl", "gn", "hr", "ht", "hu", "ia", "id", "ie", "ilo", "io", "is", "it", "jbo",
     "jv", "kw", "la", "lb", "li", "lmo", "lt", "lv", "mg", "min", "ms", "mt", "mwl", "nah", "nap", "nds", "nl",
     "nn", "no", "oc", "pam", "pl", "pms", "pt", "qu", "rm", "ro", "sc", "scn", "sco", "sh", "sk", "sl", "so", "sq",
     "su", "sv", "sw", "tk", "tl", "tr", "uz", "vec", "vi", "vls", "vo", "wa", "war", "yo"}
)
# fmt: on
"""Languages of the detector that are written in Latin letters."""


def letters(texts: pl.Series) -> tuple[I64, I64]:
    """The Latin letters of every text, and the letters of other scripts, shape (texts,) each."""
    return _letters(*utf8(texts))


@njit(cache=True, nogil=True)
def _letters(data: NDArray[np.uint8], offsets: I64) -> tuple[I64, I64]:
    latin = np.zeros(offsets.size - 1, np.int64)
    other = np.zeros(offsets.size - 1, np.int64)
    for text in range(offsets.size - 1):
        at, end, greek = offsets[text], offsets[text + 1], False
        few, many = 0, 0
        while at < end:
            byte = data[at]
            if byte < 0x80:
                few += np.int64(97 <= (byte | 0x20) <= 122)
                greek = False
                at += 1
                continue
            second = data[at + 1] if at + 1 < end else np.uint8(0)
            if byte == 0xCE or byte == 0xCF:
                many += np.int64(greek)
                greek = True
                at += 2
                continue
            greek = False
            if byte < 0xE0:
                few += np.int64(0xC3 <= byte <= 0xC9)
                many += np.int64(byte >= 0xD0)
                at += 2
            elif byte < 0xF0:
                if byte == 0xE1 and 0xB8 <= second <= 0xBB:  # Latin with two marks, as in Vietnamese
                    few += 1
                elif not (byte == 0xE2 or byte > 0xED or (byte == 0xE3 and second == 0x80)):
                    many += 1
                at += 3
            else:
                many += np.int64(second >= 0xA0)  # rare Han characters
                at += 4
        latin[text], other[text] = few, many
    return latin, other
