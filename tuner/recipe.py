"""The recipe: one YAML file with every setting that decides the result. Each section is defined beside its code."""

from typing import Annotated, Any, cast

from pydantic import Field, ValidationError, model_validator

from tuner.curation.profiles import for_sources
from tuner.curation.settings import Curation
from tuner.evaluation.settings import Evaluation
from tuner.generation.settings import Generation
from tuner.generation.sources import Drawn, Magpie
from tuner.models.settings import Models
from tuner.preference.settings import Preference
from tuner.reading.settings import Rows
from tuner.section import Section, added_field
from tuner.splitting.settings import Split
from tuner.training.methods import Adapter, Method
from tuner.training.sweeps import trials
from tuner.training.sweeps.settings import Sweep

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Recipe(Section):
    """The settings that decide the result, and no others.

    Attributes:
        name: The default name of this recipe's runs, before the digits of a fingerprint.
        seed: The seed that every random number derives from.
        models: The generator and the student.
        generation: Where rows come from, and how many.
        curation: Which rows are kept.
        split: Which kept rows are held out, and which are to choose by.
        preference: How preference pairs are made; null makes none.
        training: The adapters to train, by name.
        evaluation: How the adapters are compared.
    """

    name: Name
    seed: int = Field(default=42, ge=0, lt=2**53)
    models: Models
    generation: Generation
    curation: Curation = Curation()
    split: Split = Split()
    preference: Preference | None = added_field(None)
    training: dict[Name, Adapter] = Field(min_length=1)
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _base_is_reserved(self) -> "Recipe":
        if "base" in self.training:
            raise ValueError("training: 'base' is the name of the untrained model; rename this adapter")
        return self

    @model_validator(mode="after")
    def _tuning_share_is_settled(self) -> "Recipe":
        split = self.split.settled([name for name, adapter in self.training.items() if adapter.chooses])
        # Sections are frozen, and pydantic expects the same recipe back.
        object.__setattr__(self, "split", split)
        return self

    @model_validator(mode="after")
    def _balanced_rows_have_categories(self) -> "Recipe":
        balance = self.curation.balance
        sources = self.generation.sources.values()
        categories = any(
            not isinstance(source, Magpie) or any(system.category or system.topics for system in source.system)
            for source in sources
        )
        judging = self.curation.judging
        tagged = judging is not None and "category" in judging.tags
        if balance is not None and balance.by == "category" and not categories and not tagged:
            raise ValueError(
                "curation.balance.by: no system prompt of generation.system has a category, and curation.judging.tags "
                "has none"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _rows_of_people_are_curated_as_such(cls, data: Any) -> Any:
        return for_sources(cast(dict[str, Any], data)) if isinstance(data, dict) else cast(Any, data)

    @model_validator(mode="after")
    def _sources_can_be_curated(self) -> "Recipe":
        for name in self.generation.sources:
            try:
                self.curation_of(name)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"]))
                raise ValueError(f"generation.sources.{name}.curation.{where}: {first['msg']}") from None
        return self

    @model_validator(mode="after")
    def _generators_are_named(self) -> "Recipe":
        if self.models.generator is None and "models.generator" in map(self.generator_key, self._drawn):
            raise ValueError("models.generator: is missing; rows are to be drawn with it")
        return self

    @model_validator(mode="after")
    def _adapters_can_be_trained(self) -> "Recipe":
        for name, adapter in self.training.items():
            if adapter.objective.pairs and self.preference is None:
                raise ValueError(
                    f"training.{name}.objective: {adapter.objective.title} is trained on preference pairs; add the "
                    "section preference"
                )
            if (start := adapter.start) is None:
                continue
            if start not in self.training:
                raise ValueError(f"training.{name}.start: no adapter {start!r}; known are {', '.join(self.training)}")
            if adapter.sweep is not None and not adapter.objective.pairs:
                raise ValueError(
                    f"training.{name}.sweep: an adapter that goes on from another on the same rows cannot be swept; "
                    f"sweep {start}, or leave start out"
                )
            first = self.training[start]
            if first.objective.pairs or first.start is not None:
                raise ValueError(
                    f"training.{name}.start: {start} goes on from another adapter or is trained on pairs; name one "
                    "that is trained on rows from the beginning"
                )
            if first.sweep and (own := [key for key in first.sweep.swept if key not in Method.model_fields]):
                raise ValueError(
                    f"training.{name}.start: the sweep of {start} varies {', '.join(own)}, which {name} must share; "
                    "sweep settings that all methods have, or leave start out"
                )
            if first.name() != adapter.name() or first.quantization != adapter.quantization:
                raise ValueError(
                    f"training.{name}.start: {start} is trained by another method or quantization; an adapter goes on "
                    "from one of its own kind"
                )
        return self

    @model_validator(mode="after")
    def _sweeps_are_fair(self) -> "Recipe":
        shapes: dict[str, tuple[int, float, int]] = {}
        for name, adapter in self.training.items():
            if (sweep := adapter.sweep) is not None:
                found = trials.trials(name, adapter, sweep, self.seed)
                shapes[name] = (sweep.trials or len(found), adapter.epochs, adapter.max_length)
        first = next(iter(shapes), "")
        if odd := next((name for name, shape in shapes.items() if shape != shapes[first]), None):
            of = [
                f"{name} has {count} trials of {epochs:g} epochs and at most {length} tokens a row"
                for name, (count, epochs, length) in ((first, shapes[first]), (odd, shapes[odd]))
            ]
            raise ValueError(
                f"training.{odd}.sweep: {of[1]}, while {of[0]}; sweeps are compared, so give them the same number of "
                "trials and the same budget"
            )
        return self

    @model_validator(mode="after")
    def _candidates_are_drawn_by_something(self) -> "Recipe":
        if self.preference is None:
            return self
        name = self.preference.candidates.adapter
        if name is None and not self.preference.candidates.models and self.models.generator is None:
            raise ValueError("preference.candidates.models: is missing, since the recipe has no models.generator")
        if name is not None and name not in self.training:
            raise ValueError(
                f"preference.candidates.adapter: no adapter {name!r}; known are {', '.join(self.training)}"
            )
        if name is not None and self.training[name].objective.pairs:
            raise ValueError(f"preference.candidates.adapter: {name} is itself trained on pairs; name one of sft")
        if name is not None and self.training[name].is_prompt:
            raise ValueError(
                f"preference.candidates.adapter: {name} is a prompt ({self.training[name].name()}), which cannot be "
                "drawn with; name an adapter that changes weights"
            )
        return self

    @property
    def _drawn(self) -> list[str]:
        """The names of the sources that are drawn with a model."""
        return [name for name, source in self.generation.sources.items() if isinstance(source, Drawn)]

    def generator_key(self, source: str) -> str:
        """The key of a source's generator in the recipe: `models.generator`, or that of its own."""
        own = isinstance(found := self.generation.sources[source], Drawn) and found.generator
        return f"generation.sources.{source}.generator" if own else "models.generator"

    def generator(self, source: str) -> str:
        """The model that a source is drawn with, as written in the recipe."""
        model = self.generator_models(source).generator
        assert model is not None
        return model

    def generator_models(self, source: str) -> Models:
        """The section `models` with the generator of a source; one that it names itself has its own chat template."""
        found = self.generation.sources[source]
        if not isinstance(found, Drawn) or found.generator is None:
            return self.models
        return self.models.with_generator(found.generator)

    @property
    def generators(self) -> dict[str, str]:
        """The models that rows are drawn with, by their keys."""
        return {self.generator_key(name): self.generator(name) for name in self._drawn}

    @property
    def judges(self) -> dict[str, str]:
        """The models that rows and candidates are judged by, by their keys."""
        judging, preference = self.curation.judging, self.preference
        rows = {f"curation.judging.{key}": model for key, model in judging.models.items()} if judging else {}
        scorers = preference.scorer.models if preference else {}
        return rows | {f"preference.scorer.{key}": model for key, model in scorers.items()}

    @property
    def answering(self) -> dict[str, str]:
        """The models that candidates are drawn with, by their keys, besides the student with an adapter."""
        if self.preference is None:
            return {}
        candidates = self.preference.candidates
        if candidates.models or candidates.adapter or self.models.generator is None:
            return {f"preference.candidates.models.{place}": model for place, model in enumerate(candidates.models)}
        return {"models.generator": self.models.generator}

    def answering_models(self, key: str) -> Models:
        """The section `models` with the model of a key of `answering` as its generator."""
        return self.models if key == "models.generator" else self.models.with_generator(self.answering[key])

    def curation_of(self, source: str) -> Curation:
        """The curation settings of a source's rows."""
        found = self.generation.sources[source]
        if not isinstance(found, Rows) or not found.curation:
            return self.curation
        return Curation.model_validate({**self.curation.model_dump(mode="json"), **found.curation})

    def pinned(self) -> "Recipe":
        """See `Generation.pinned`."""
        return self.model_copy(update={"generation": self.generation.pinned()})

    @model_validator(mode="after")
    def _drawn_languages_are_kept(self) -> "Recipe":
        language = self.curation.language
        for source in self.generation.sources.values():
            drawn = source.languages if isinstance(source, Magpie) else ()
            if language is not None and (lost := [code for code in drawn if code not in language.wanted]):
                raise ValueError(
                    f"generation.languages: {', '.join(lost)} would be drawn and then rejected, since "
                    f"curation.language.wanted is {', '.join(language.wanted)}; set it to [{', '.join(drawn)}]"
                )
        return self

    @property
    def trained(self) -> dict[str, Method]:
        """The adapters' settings by the labels of their trainings; see `Method.labels`."""
        return {label: adapter for name, adapter in self.training.items() for label in adapter.labels(name)}

    @property
    def asked(self) -> "Recipe":
        """The same as it was asked for: without what a run decided, and without limits."""
        generation = self.generation if self.generation.kept is None else self.generation.asked
        recipe = self.model_copy(update={"generation": generation})
        for name, adapter in self.training.items():
            recipe = recipe.with_sweep(name, adapter.sweep.asked) if adapter.sweep else recipe
        return recipe

    def with_sweep(self, name: str, sweep: Sweep) -> "Recipe":
        """The same with another sweep of an adapter."""
        adapter = self.training[name].model_copy(update={"sweep": sweep})
        return self.model_copy(update={"training": {**self.training, name: adapter}})

    def __hash__(self) -> int:
        # pydantic's own hash would require the mapping of adapters to be hashable.
        return hash(self.model_dump_json())

    def settings_of(self, section: str) -> dict[str, Any]:
        """One section as plain data, as it enters fingerprints."""
        return getattr(self, section).model_dump(mode="json")
