"""All reasons to reject a row, each with the sentence that users read, in the order of the funnel.

Reasons found in a single row come first, in the order of the checks; then those that follow from comparing rows.
"""

from tuner.curation.settings import CHECKS

SINGLE_ROW_REASONS: dict[str, str] = {name: text for check in CHECKS.values() for name, text in check.reasons.items()}
"""The reasons found in a single row, by name."""

REASONS: dict[str, str] = SINGLE_ROW_REASONS | {
    name: text for check in CHECKS.values() for name, text in check.choices.items()
}
"""All reasons, by name."""

CHECK_OF: dict[str, str] = {
    reason: name for name, check in CHECKS.items() for reason in (*check.reasons, *check.choices)
}
"""The check of each reason, by the name of its section."""

LOOSENED: dict[str, tuple[str, ...]] = {
    reason: tuple(f"{name}.{key}" for key in CHECKS[name].loosened.get(reason, ())) or ("ignore",)
    for reason, name in CHECK_OF.items()
}
"""The settings below `curation` that let more of the rows pass that have a reason."""
