"""Which two candidates of an instruction become a pair, from their texts and scores alone.

Chosen is the candidate of the highest score. Rejected is the one whose score is nearest to the mean minus two standard
deviations (Xiao et al. 2025, arXiv 2502.16825: with many candidates the worst of all is a worse choice), or the lowest.
Among n numbers none lies more than sqrt(n - 1) standard deviations from their mean, so up to five candidates both are
mostly the same.
"""

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tuner.curation.columns.text import normalise
from tuner.preference.settings import Rejected

Unusable = Literal["", "skipped", "empty", "cut", "repeated"]
"""Why a candidate is in no pair; empty if it may be."""

Reason = Literal["few_candidates", "tie", "low_margin", "repeated_instruction", "beyond_pairs"]
"""Why an instruction has no pair."""

REASONS: dict[Reason, str] = {
    "few_candidates": "fewer than two candidates are whole, different and scored",
    "tie": "no other candidate is worse than the best",
    "low_margin": "the scores of the two differ by less than `margin`",
    "repeated_instruction": "another row with the same instruction has a pair",
    "beyond_pairs": "there are more pairs than `pairs`",
}
"""What each reason means."""


@dataclass(frozen=True)
class Candidate:
    """A candidate, as far as pairing reads it.

    Attributes:
        response: Its text.
        finish: `stop`, `length` or `skipped`.
    """

    response: str
    finish: str


@dataclass(frozen=True)
class Choice:
    """The candidates of a pair, by their places, or why there is none.

    Attributes:
        chosen: The better one; None if none is scored.
        rejected: The worse one; None if there is none.
        reason: Why they are no pair; None if they are.
    """

    chosen: int | None = None
    rejected: int | None = None
    reason: Reason | None = None


def unusable(candidates: Sequence[Candidate]) -> list[Unusable]:
    """Why each candidate of an instruction is in no pair.

    One is not if it was not drawn, is empty or cut off, or says the same as one before it but for case, white space
    and forms of characters.
    """
    seen: set[str] = set()
    found: list[Unusable] = []
    for candidate in candidates:
        normal = normalise(candidate.response)
        if candidate.finish == "skipped":
            found.append("skipped")
        elif candidate.finish != "stop":
            found.append("cut")
        elif not normal:
            found.append("empty")
        elif normal in seen:
            found.append("repeated")
        else:
            seen.add(normal)
            found.append("")
    return found


def choose(
    scores: Sequence[float | None],
    rejected: Rejected,
    margin: float,
    beaten: Sequence[Collection[int] | None] = (),
) -> Choice:
    """The pair of an instruction.

    Args:
        scores: Of its candidates, None where one is unusable or has no score. Of equal ones the first counts.
        rejected: See `Preference.rejected`.
        margin: The least difference of the two scores.
        beaten: For each candidate those that a judge found worse in both orders, by their places, which alone may
            stand against it; None, or nothing at all, where there was no judge.
    """
    known = {place: score for place, score in enumerate(scores) if score is not None}
    if len(known) < 2:
        return Choice(reason="few_candidates")
    chosen = max(known, key=lambda place: (known[place], -place))
    below = beaten[chosen] if beaten else None
    worse = [place for place, score in known.items() if score < known[chosen] and (below is None or place in below)]
    if not worse:
        return Choice(chosen, reason="tie")
    lowest = min(known.values())
    wanted = statistics.fmean(known.values()) - 2 * statistics.pstdev(known.values()) if rejected == "near" else lowest
    against = min(worse, key=lambda place: (abs(known[place] - wanted), known[place], place))
    return Choice(chosen, against, None if known[chosen] - known[against] >= margin else "low_margin")
