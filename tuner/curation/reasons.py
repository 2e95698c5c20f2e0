"""Every reason there is to reject a row, with the sentence that a person reads, in the order of the funnel.

First come those that a row has by itself, in the order of the checks, then those that follow from other rows.
"""

from tuner.curation.settings import CHECKS

ALONE: dict[str, str] = {name: text for check in CHECKS.values() for name, text in check.reasons.items()}
"""What a row has by itself, by name."""

REASONS: dict[str, str] = ALONE | {name: text for check in CHECKS.values() for name, text in check.choices.items()}
"""All, by name."""
