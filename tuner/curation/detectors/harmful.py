"""The harmful words of the project's first run: a part of the quality score, and a reason of their own.

They are matched against normalised text at word boundaries, which are those of ASCII words, so that 'skill' is not
'kill'; inflections are named, since a boundary would otherwise let 'killing' pass. What decides about a row by default
is `toxicity`.
"""

import numpy as np

from tuner.curation.columns.batch import Batch, Flags
from tuner.curation.columns.patterns import has

_B = r"(?-u:\b)"
_HARMFUL = (
    rf"{_B}(?:(?:kill|murder|suicide|terrorist|bomb|weapon)(?:s|ed|er|ers|ing|ings)?"
    rf"|hack into|steal passwords?|illegal drugs?|child abuse){_B}"
)
# Open at the end, so that 'educational' and 'studying' count. Anywhere in the row, since a row is one subject.
_EDUCATIONAL = rf"{_B}(?:history|prevention|awareness|education|study)"


def is_harmful(batch: Batch) -> Flags:
    """Which rows hold a harmful word, and none that shows an educational context, shape (rows,)."""
    texts = batch.normal_instruction, batch.normal_response
    harmful = np.logical_or(*(has(text, _HARMFUL) for text in texts))
    if harmful.any():
        harmful[harmful] = ~np.logical_or(*(has(text.filter(harmful), _EDUCATIONAL) for text in texts))
    return harmful
