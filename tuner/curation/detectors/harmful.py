"""The harmful words of the project's first run: a part of the quality score, and a reason.

They are matched against normalised text at ASCII word boundaries, so that 'skill' is not 'kill'; inflections are
listed, since 'killing' would otherwise pass. By default they only mark a row; `toxicity` rejects.
"""

import numpy as np

from tuner.curation.columns.batch import Batch, Flags
from tuner.curation.columns.patterns import has

_B = r"(?-u:\b)"
_HARMFUL = (
    rf"{_B}(?:(?:kill|murder|suicide|terrorist|bomb|weapon)(?:s|ed|er|ers|ing|ings)?"
    rf"|hack into|steal passwords?|illegal drugs?|child abuse){_B}"
)
# Open at the end, so that 'educational' and 'studying' count. Searched in both texts, which have one subject.
_EDUCATIONAL = rf"{_B}(?:history|prevention|awareness|education|study)"


def is_harmful(batch: Batch) -> Flags:
    """Which rows contain a harmful word and no word of an educational context, shape (rows,)."""
    texts = batch.normal_instruction, batch.normal_response
    harmful = np.logical_or(*(has(text, _HARMFUL) for text in texts))
    if harmful.any():
        harmful[harmful] = ~np.logical_or(*(has(text.filter(harmful), _EDUCATIONAL) for text in texts))
    return harmful
