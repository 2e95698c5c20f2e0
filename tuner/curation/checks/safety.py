"""The check `safety`: toxicity, personal data, and the harmful words of the project's first run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from tuner.curation.check import Check, Example

if TYPE_CHECKING:
    from tuner.curation.columns.batch import Batch, Findings, Flags

Action = Literal["drop", "redact", "mark", "leave"]

_MASKED = {"toxic": "slurs, threats and the like", "personal_data": "personal data"}
_ASKED = "How do I reach the owner of the bakery?"
_WRITES = "You can write to {}, and you will have an answer within a day or two."


class Safety(Check):
    """What is done about a row that could do harm: `drop` it, `redact` the place, `mark` it only, or `leave` it.

    Attributes:
        toxicity: Slurs, threats, incitement to self-harm, explicit sex, insults; English only.
        personal_data: E-mail and IP addresses, phone, card and account numbers, keys and tokens.
        harmful_words: The ten words that rejected a row in the project's first run; too coarse to do so by default.
    """

    version: ClassVar = 2
    does: ClassVar = (
        "slurs, threats and the like, at word boundaries; e-mail, phone, card (Luhn), IBAN (mod 97), keys and tokens, "
        "IP; the first run's ten words, unless an educational context shows"
    )
    reasons: ClassVar = {
        "toxic": "a slur, a threat or the like occurs",
        "personal_data": "an address, a number or a key that belongs to a person occurs",
        "harmful_word": (
            "a word of the first run's list of harmful ones occurs, and none that shows an educational context"
        ),
    }
    roles: ClassVar = ("system", "user", "assistant", "tool")
    units: ClassVar = {"toxic": "message", "personal_data": "message"}
    loosened: ClassVar = {
        "toxic": ("toxicity",),
        "personal_data": ("personal_data",),
        "harmful_word": ("harmful_words",),
    }
    columns: ClassVar = ("toxic_terms", "personal_data_kinds")
    examples: ClassVar = (
        Example(_ASKED, "Ask at the counter in the morning: she bakes until ten and is there herself until noon."),
        Example(_ASKED, _WRITES.format("user@example.com")),
        Example("Tell me about the history of the bomb.", "It was first built in the desert, in a town made for it."),
        Example(_ASKED, _WRITES.format("the server of the shop, which has Chrome/120.0.0.0 and asks 8.8.8.8")),
        Example(
            "Compute 812-305-1264 and explain it.", "From 812 take 305, which leaves 507; take 1264, and it is -757."
        ),
        Example(_ASKED, _WRITES.format("maria.rossi@panificiorossi.it"), ("personal_data",)),
        Example(_ASKED, _WRITES.format("Maria.Rossi@Rossi.Photography"), ("personal_data",)),
        Example(_ASKED, "You can call the shop at 812-305-1264 in the morning, until ten or so.", ("personal_data",)),
        Example(_ASKED, _WRITES.format("the account DE89 3704 0044 0532 0130 00"), ("personal_data",)),
        Example(_ASKED, "Get out of here, you stupid bitch, and never ask me about the bakery again.", ("toxic",)),
        Example(_ASKED, "In this film a murderer runs the bakery and nobody in the village knows.", ("harmful_word",)),
    )

    toxicity: Action = "drop"
    personal_data: Action = "redact"
    harmful_words: Literal["drop", "mark", "leave"] = "mark"

    @property
    def actions(self) -> dict[str, str]:
        """The action by reason."""
        return {"toxic": self.toxicity, "personal_data": self.personal_data, "harmful_word": self.harmful_words}

    @property
    def masking(self) -> tuple[str, ...]:
        """The reasons whose places are masked instead of rejecting the row."""
        return tuple(reason for reason, action in self.actions.items() if action == "redact")

    @property
    def masking_beside(self) -> tuple[str, ...]:
        """The reasons whose places are masked in the columns beside the messages.

        Personal data are masked there even if they reject a row of whose messages they are part.
        """
        return tuple(
            reason
            for reason, action in self.actions.items()
            if action == "redact" or (reason, action) == ("personal_data", "drop")
        )

    def masked(self, marks: Mapping[str, int]) -> str:
        """What was masked in how many rows, such as `personal data in 12 rows`; empty if nothing was.

        Args:
            marks: Rows by reason, as `tuner.curation.metrics.Curated` has them.
        """
        counts = {reason: marks.get(reason, 0) for reason in self.masking}
        return " and ".join(
            f"{_MASKED[reason]} in {rows:,} {'row' if rows == 1 else 'rows'}" for reason, rows in counts.items() if rows
        )

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        keys = {"toxic": "toxicity", "personal_data": "personal_data", "harmful_word": "harmful_words"}
        return {
            reason: f"safety.{keys[reason]} is leave" for reason, action in self.actions.items() if action == "leave"
        }

    def marked(self) -> frozenset[str]:
        """See `Check.marked`."""
        return frozenset(reason for reason, action in self.actions.items() if action in ("mark", "redact"))

    def find(self, batch: "Batch", flags: "Mapping[str, Flags]") -> "Findings":
        """See `Check.find`; what is masked has been flagged by `cleaning`."""
        from tuner.curation.columns.batch import Findings, merge
        from tuner.curation.detectors import personal_data, toxicity
        from tuner.curation.detectors.harmful import is_harmful

        findings = [
            module.check(batch)
            for action, module in ((self.toxicity, toxicity), (self.personal_data, personal_data))
            if action in ("drop", "mark")
        ]
        if self.harmful_words != "leave":
            findings.append(Findings({"harmful_word": batch.whole & batch.cached(is_harmful)}))
        return merge(*findings)
