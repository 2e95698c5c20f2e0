"""The recipe: one YAML file with every setting that decides the result. Each section is defined beside its code."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from tuner.curation.settings import Curation
from tuner.evaluation.settings import Evaluation
from tuner.generation.settings import Generation
from tuner.models.settings import Models
from tuner.section import Section
from tuner.splitting.settings import Split
from tuner.training.methods import Adapter

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Recipe(Section):
    """The settings that decide the result, and no others.

    Attributes:
        name: The default name of this recipe's runs, before the digits of a fingerprint.
        seed: The seed that every random number derives from.
        models: The generator and the student.
        generation: How rows are generated.
        curation: Which rows are kept.
        split: Which kept rows are held out.
        training: The adapters to train, by name.
        evaluation: How the adapters are compared.
    """

    name: Name
    seed: int = Field(default=42, ge=0, lt=2**53)
    models: Models
    generation: Generation
    curation: Curation = Curation()
    split: Split = Split()
    training: dict[Name, Adapter] = Field(min_length=1)
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _base_is_reserved(self) -> "Recipe":
        if "base" in self.training:
            raise ValueError("training: 'base' is the name of the untrained model; rename this adapter")
        return self

    @model_validator(mode="after")
    def _balanced_rows_have_categories(self) -> "Recipe":
        balance, systems = self.curation.balance, self.generation.system
        named = any(system.category or system.topics for system in systems)
        if balance is not None and balance.by == "category" and not named:
            raise ValueError("curation.balance.by: no system prompt of generation.system has a category")
        return self

    @model_validator(mode="after")
    def _drawn_languages_are_kept(self) -> "Recipe":
        drawn, language = self.generation.languages, self.curation.language
        if language is not None and (lost := [code for code in drawn if code not in language.wanted]):
            raise ValueError(
                f"generation.languages: {', '.join(lost)} would be drawn and then rejected, since "
                f"curation.language.wanted is {', '.join(language.wanted)}; set it to [{', '.join(drawn)}]"
            )
        return self

    def __hash__(self) -> int:
        # pydantic's own hash would require the mapping of adapters to be hashable.
        return hash(self.model_dump_json())

    def settings_of(self, section: str) -> dict[str, Any]:
        """One section as plain data, as it enters fingerprints."""
        return getattr(self, section).model_dump(mode="json")
