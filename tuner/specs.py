"""The names of things to come: every artifact of a recipe, which follows from the recipe alone."""

from dataclasses import dataclass

from tuner import curation, evaluation, generation, report, splitting, training
from tuner.artifacts.fingerprint import Spec
from tuner.generation.stage import shard_sizes
from tuner.models import source
from tuner.recipe import Recipe

STAGES = ("generate", "curate", "split", "train", "evaluate", "report")
"""In the order in which they run."""


@dataclass(frozen=True)
class Specs:
    """All artifacts of a recipe.

    Attributes:
        shards: Of `generate`, in order.
        curate: One.
        split: One.
        training: By adapter name.
        evaluate: One.
        report: One.
    """

    shards: list[Spec]
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
            case "train":
                return list(self.training.values())
            case _:
                return [getattr(self, stage)]


def of_recipe(recipe: Recipe) -> Specs:
    """Names every artifact of a recipe.

    Raises:
        InputError: If a model string means nothing or names a folder that is not there.
    """
    generator = source.parse(recipe.models.generator, "models.generator").identity()
    student = source.parse(recipe.models.student, "models.student").identity()
    sampling = {k: v for k, v in recipe.settings_of("generation").items() if k != "rows"}
    shards = [
        Spec(
            "generate",
            generation.VERSION,
            {"generator": generator, "seed": recipe.seed, "shard": shard, "shard_size": size, **sampling},
            {},
            f"shard {shard + 1}",
        )
        for shard, size in enumerate(shard_sizes(recipe.generation.rows, recipe.generation.shard_rows))
    ]
    curate = Spec(
        "curate", curation.VERSION, recipe.settings_of("curation"), {"shards": [shard.fingerprint for shard in shards]}
    )
    split = Spec("split", splitting.VERSION, recipe.settings_of("split"), {"rows": curate.fingerprint})
    trained = {
        name: Spec(
            "train",
            training.VERSION,
            # The generator lends its chat template to a student that has none.
            {"student": student, "generator": generator, "seed": recipe.seed, **adapter.model_dump(mode="json")},
            {"data": split.fingerprint},
            name,
        )
        for name, adapter in recipe.training.items()
    }
    evaluate = Spec(
        "evaluate",
        evaluation.VERSION,
        {"student": student, "seed": recipe.seed, "adapters": list(trained), **recipe.settings_of("evaluation")},
        {"data": split.fingerprint, "adapters": [spec.fingerprint for spec in trained.values()]},
    )
    final = Spec(
        "report",
        report.VERSION,
        {"recipe": recipe.model_dump(mode="json")},
        {"evaluation": evaluate.fingerprint, "adapters": [spec.fingerprint for spec in trained.values()]},
    )
    return Specs(shards, curate, split, trained, evaluate, final)


def run_name(recipe: Recipe) -> str:
    """What a run is called by default: the recipe's name and the first digits of what it will end in."""
    return f"{recipe.name}-{of_recipe(recipe).report.fingerprint[:8]}"
