"""The names of things to come: every artifact of a recipe, which follows from the recipe alone."""

from dataclasses import dataclass
from functools import lru_cache

from tuner import curation, evaluation, generation, report, splitting, training
from tuner.artifacts.fingerprint import Spec
from tuner.curation.duplicates.partitions import parts
from tuner.curation.identity import choosing, examining, matching
from tuner.generation.stage import labelled, shards
from tuner.models import source
from tuner.recipe import Recipe

Identity = tuple[tuple[str, str], ...]
"""What decides a model's weights, as pairs."""

STAGES = ("generate", "examine", "match", "curate", "split", "train", "evaluate", "report")
"""In the order in which they run."""


@dataclass(frozen=True)
class Specs:
    """All artifacts of a recipe.

    Attributes:
        shards: Of `generate`, round after round.
        examined: Of `examine`, one for each shard.
        matched: Of `match`, round after round, one for each partition of the signatures.
        curate: One.
        split: One.
        training: By adapter name.
        evaluate: One.
        report: One.
    """

    shards: list[Spec]
    examined: list[Spec]
    matched: list[Spec]
    curate: Spec
    split: Spec
    training: dict[str, Spec]
    evaluate: Spec
    report: Spec

    def of(self, stage: str) -> list[Spec]:
        """The artifacts of one stage."""
        match stage:
            case "generate":
                return self.shards
            case "examine":
                return self.examined
            case "match":
                return self.matched
            case "train":
                return list(self.training.values())
            case _:
                return [getattr(self, stage)]


def of_recipe(recipe: Recipe) -> Specs:
    """Names every artifact of a recipe.

    Raises:
        InputError: If a model string means nothing or names a folder that is not there.
    """
    sources = {key: source.parse(getattr(recipe.models, key), f"models.{key}") for key in ("generator", "student")}
    return _of(recipe, **{key: tuple(found.identity().items()) for key, found in sources.items()})


# Every task of a run asks for the same names, and thousands of shards take a third of a second to name.
@lru_cache(maxsize=4)
def _of(recipe: Recipe, generator: Identity, student: Identity) -> Specs:
    chat_model, small_model = dict(generator), dict(student)
    sampling = {k: v for k, v in recipe.settings_of("generation").items() if k not in ("rows", "rounds")}
    drawn = [
        Spec(
            "generate",
            generation.VERSION,
            {"generator": chat_model, "seed": shard.seed, "shard": shard.number, "shard_size": shard.rows, **sampling},
            {},
            shard.label,
        )
        for shard in shards(recipe)
    ]
    examined = [
        Spec(
            "examine",
            curation.VERSIONS["examine"],
            examining(recipe.curation),
            {"rows": shard.fingerprint},
            shard.label,
        )
        for shard in drawn
    ]
    matched = [spec for number in range(recipe.generation.rounds) for spec in _matched(recipe, examined, number)]
    curate = Spec(
        "curate",
        curation.VERSIONS["curate"],
        choosing(recipe.curation),
        {
            "shards": [spec.fingerprint for spec in drawn],
            "examined": [spec.fingerprint for spec in examined],
            "matched": [spec.fingerprint for spec in matched],
        },
    )
    dividing = recipe.settings_of("split")
    former = dividing.pop("former")
    kept = {"rows": curate.fingerprint, **({"former": former} if former else {})}
    split = Spec("split", splitting.VERSION, dividing, kept)
    trained = {
        name: Spec(
            "train",
            training.VERSION,
            # The generator lends its chat template to a student that has none.
            {"student": small_model, "generator": chat_model, "seed": recipe.seed, **adapter.model_dump(mode="json")},
            {"data": split.fingerprint},
            name,
        )
        for name, adapter in recipe.training.items()
    }
    evaluate = Spec(
        "evaluate",
        evaluation.VERSION,
        {"student": small_model, "seed": recipe.seed, "adapters": list(trained), **recipe.settings_of("evaluation")},
        {"data": split.fingerprint, "adapters": [spec.fingerprint for spec in trained.values()]},
    )
    final = Spec(
        "report",
        report.VERSION,
        {"recipe": recipe.model_dump(mode="json")},
        {"evaluation": evaluate.fingerprint, "adapters": [spec.fingerprint for spec in trained.values()]},
    )
    return Specs(drawn, examined, matched, curate, split, trained, evaluate, final)


def _matched(recipe: Recipe, examined: list[Spec], number: int) -> list[Spec]:
    """Of one round, whose rows are compared with each other and with those of earlier rounds.

    They do not depend on later rounds, so what was found among the rows that are there stays found.
    """
    parts_of = parts((number + 1) * recipe.generation.rows, recipe.curation.duplicates)
    until = (number + 1) * len(examined) // recipe.generation.rounds
    return [
        Spec(
            "match",
            curation.VERSIONS["match"],
            {**matching(recipe.curation), "part": part, "parts": parts_of, **({"round": number} if number else {})},
            {"examined": [spec.fingerprint for spec in examined[:until]]},
            labelled(number, f"part {part + 1}"),
        )
        for part in range(parts_of)
    ]


def run_name(recipe: Recipe) -> str:
    """What a run is called by default: the recipe's name and the first digits of what it will end in."""
    return f"{recipe.name}-{of_recipe(recipe).report.fingerprint[:8]}"
