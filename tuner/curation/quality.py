"""The quality score: six parts between 0 and 1, weighted.

    0.15 length + 0.10 language + 0.20 repetition + 0.15 format + 0.15 toxicity + 0.25 content

Formulas and weights are those of the project's first run, whose scores can so be compared with ours. A part that a
rule fails takes the low value given to that failure, so the score also orders rejected rows.
"""

import re
from dataclasses import dataclass

from tuner.curation.rules import Finding
from tuner.curation.text import Pair

WEIGHTS = {"length": 0.15, "language": 0.10, "repetition": 0.20, "format": 0.15, "toxicity": 0.15, "content": 0.25}

IDEAL_WORDS = 200
FINAL_CHARACTERS = ".!?\"')"

_ACTION = re.compile(r"\b(?:explain|describe|how|what|why|write|create)\b", re.IGNORECASE)
_STRUCTURE = re.compile(r"\n\n|^(?:\d+\.|[-*])", re.MULTILINE)


@dataclass(frozen=True)
class Quality:
    """The score of one row.

    Attributes:
        length: 1 at 200 words of response, lower by 1 in 500, never under 0.5.
        language: Half the share of English function words, half that of ASCII characters, and 0.5; at most 1.
        repetition: 1; 0.3 if one word, 0.2 if one phrase recurs too often.
        format: 1; 0.7 without a final mark, 0.1 or 0 for a low-quality pattern or a refusal.
        toxicity: 1, or 0.
        content: Clarity of the instruction times variety of the response, and a little for structure; at most 1.
    """

    length: float
    language: float
    repetition: float
    format: float
    toxicity: float
    content: float

    @property
    def score(self) -> float:
        """The weighted sum, between 0 and 1."""
        return sum(weight * getattr(self, part) for part, weight in WEIGHTS.items())


def assess(pair: Pair, finding: Finding) -> Quality:
    """Scores a row whose texts are both there.

    Args:
        pair: The row's texts, neither empty.
        finding: What the rules say of it.
    """
    return Quality(
        length=max(0.5, 1 - abs(len(pair.response_words) - IDEAL_WORDS) / 500),
        language=min(1.0, 0.5 * finding.english_ratio + 0.5 * finding.ascii_ratio + 0.5),
        repetition=_repetition(finding),
        format=_format(pair, finding),
        toxicity=0.0 if "toxic" in finding.reasons else 1.0,
        content=_content(pair),
    )


def _repetition(finding: Finding) -> float:
    if "repeated_word" in finding.reasons:
        return 0.3
    return 0.2 if "repeated_phrase" in finding.reasons else 1.0


def _format(pair: Pair, finding: Finding) -> float:
    if "instruction_pattern" in finding.reasons:
        return 0.0
    if "response_pattern" in finding.reasons:
        return 0.1
    if "refusal" in finding.reasons:
        return 0.0
    return 1.0 if pair.response.rstrip()[-1] in FINAL_CHARACTERS else 0.7


def _content(pair: Pair) -> float:
    """The part for content.

    The first run also rejected rows under 0.4. The formula cannot give that: both factors of the product have a lower
    bound, 1 and 0.5. So there is no such rule here.
    """
    clarity = 1 + 0.1 * ("?" in pair.instruction) + 0.1 * (_ACTION.search(pair.instruction) is not None)
    # As written, not casefolded: 'The' and 'the' are two words in this formula.
    response = pair.response.split()
    variety = 0.5 + 0.5 * len(set(response)) / len(response)
    return min(1.0, clarity * variety + 0.1 * (_STRUCTURE.search(pair.response) is not None))
