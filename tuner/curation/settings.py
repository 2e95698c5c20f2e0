"""What a recipe says of curation: a section a check, in the order in which they look at a row."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import model_validator

from tuner.curation.check import Check
from tuner.curation.checks.balance import Balance
from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.checks.duplicates import Duplicates
from tuner.curation.checks.form import Form
from tuner.curation.checks.language import Language
from tuner.curation.checks.quality import Quality
from tuner.curation.checks.repetition import Repetition
from tuner.curation.checks.safety import Safety
from tuner.section import FirstReadBy, Section


class Curation(Section):
    """What a row has to be to be kept. A check is added by a field: its place is the check's.

    Attributes:
        ignore: Names of reasons that are recorded but reject nothing.
        form: Shape and length.
        language: Which are wanted; null takes all.
        repetition: Within a response.
        safety: Toxicity and personal data.
        decontamination: Against benchmarks.
        quality: The score.
        duplicates: Between rows.
        balance: Over kinds of instructions; null leaves them as they are.
    """

    ignore: tuple[str, ...] = ()
    form: Form = Form()
    language: Language | None = Language()
    repetition: Repetition = Repetition()
    safety: Safety = Safety()
    decontamination: Decontamination = Decontamination()
    duplicates: Duplicates = Duplicates()
    balance: Annotated[Balance | None, FirstReadBy("curate")] = None
    quality: Quality = Quality()

    @model_validator(mode="after")
    def _reasons_exist(self) -> "Curation":
        from tuner.curation.reasons import REASONS

        for name in self.ignore:
            if name not in REASONS:
                raise ValueError(f"ignore: there is no reason {name!r}; there are {', '.join(REASONS)}")
        return self

    def checks(self) -> Iterator[Check]:
        """The checks that this recipe makes, in order."""
        return (section for name in CHECKS if (section := getattr(self, name)) is not None)

    def off(self) -> dict[str, str]:
        """The reasons that no row can have, each with the setting that says so."""
        found: dict[str, str] = {}
        for name, check in CHECKS.items():
            section = getattr(self, name)
            left = dict.fromkeys([*check.reasons, *check.choices], f"{name} is null")
            found |= left if section is None else section.off()
        return found

    def marked(self) -> frozenset[str]:
        """The reasons that are recorded but reject nothing."""
        return frozenset(self.ignore).union(*(check.marked() for check in self.checks()))


def _check(annotation: Any) -> type[Check] | None:
    kinds = get_args(annotation) or (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Check)), None)


CHECKS: dict[str, type[Check]] = {
    name: check for name, field in Curation.model_fields.items() if (check := _check(field.annotation))
}
"""By the name of the section, in order."""
