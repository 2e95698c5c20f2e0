"""The recipe's section `curation`: one section for each check, in the order in which the checks run."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast, get_args

from pydantic import model_validator

from tuner.curation.check import Check
from tuner.curation.checks.balance import Balance
from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.checks.duplicates import Duplicates
from tuner.curation.checks.form import Form
from tuner.curation.checks.judging import Judging
from tuner.curation.checks.language import Language
from tuner.curation.checks.quality import Quality
from tuner.curation.checks.repetition import Repetition
from tuner.curation.checks.safety import Safety
from tuner.curation.profiles import DEFAULTS, MAGPIE, Profile, with_defaults
from tuner.section import FirstReadBy, Section, added_field


class Curation(Section):
    """Which rows are kept. Each field that is a check adds it; the order of fields is the order of checks.

    Attributes:
        profile: The defaults of the sections: `magpie` for generated rows, `own-data` for rows that people chose.
        ignore: Names of reasons that are recorded but reject nothing.
        form: Shape and length.
        language: Which are wanted; null takes all.
        repetition: Within a response.
        safety: Toxicity and personal data.
        decontamination: Against benchmarks.
        quality: The score.
        duplicates: Between rows.
        judging: By models; null asks none.
        balance: Over kinds of instructions; null leaves them as they are.
    """

    profile: Profile = MAGPIE
    ignore: tuple[str, ...] = ()
    form: Form = Form()
    language: Language | None = Language()
    repetition: Repetition = Repetition()
    safety: Safety = Safety()
    decontamination: Decontamination = Decontamination()
    duplicates: Duplicates = Duplicates()
    judging: Annotated[Judging | None, FirstReadBy("judge")] = added_field(None)
    balance: Annotated[Balance | None, FirstReadBy("curate")] = None
    quality: Quality = Quality()

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_profile(cls, data: Any) -> Any:
        given: Any = cast(Any, data) if isinstance(data, Mapping) else {}
        defaults = DEFAULTS.get(str(given.get("profile")))
        return data if defaults is None else with_defaults(given, defaults)

    def identity(self) -> dict[str, Any]:
        """See `Section.identity`; the profile is left out, since all that it decides stands in the sections."""
        return {name: value for name, value in super().identity().items() if name != "profile"}

    @model_validator(mode="after")
    def _reasons_exist(self) -> "Curation":
        from tuner.curation.reasons import REASONS

        for name in self.ignore:
            if name not in REASONS:
                raise ValueError(f"ignore: unknown reason {name!r}; known are {', '.join(REASONS)}")
        return self

    @model_validator(mode="after")
    def _models_make_what_is_chosen_by(self) -> "Curation":
        tags = self.judging.tags if self.judging else ()
        by = self.balance.by if self.balance else "opening"
        if by not in ("opening", "category", *tags):
            raise ValueError(f"balance.by: no row has the tag {by}; add {by} to curation.judging.tags")
        by = self.quality.by
        if by == "reward" and not (self.judging and self.judging.reward):
            raise ValueError("quality.by: no row has a reward; name a reward model in curation.judging.reward")
        if by not in ("score", "reward", *tags):
            raise ValueError(f"quality.by: no row has the tag {by}; add {by} to curation.judging.tags")
        return self

    def checks(self) -> Iterator[Check]:
        """The checks that this recipe turns on, in order."""
        return (section for name in CHECKS if (section := getattr(self, name)) is not None)

    def off(self) -> dict[str, str]:
        """The reasons that are turned off, each with the setting that does so."""
        reasons: dict[str, str] = {}
        for name, check in CHECKS.items():
            section = getattr(self, name)
            unset = dict.fromkeys([*check.reasons, *check.choices], f"{name} is null")
            reasons |= unset if section is None else section.off()
        return reasons

    def marked(self) -> frozenset[str]:
        """The reasons that are only recorded, without rejecting rows."""
        return frozenset(self.ignore).union(*(check.marked() for check in self.checks()))


def _check(annotation: Any) -> type[Check] | None:
    types = get_args(annotation) or (annotation,)
    return next((type_ for type_ in types if isinstance(type_, type) and issubclass(type_, Check)), None)


CHECKS: dict[str, type[Check]] = {
    name: check for name, field in Curation.model_fields.items() if (check := _check(field.annotation))
}
"""Check classes by the name of their section, in order."""
