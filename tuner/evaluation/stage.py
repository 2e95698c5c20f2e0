"""The stage `evaluate`: base and adapters on the same held-out rows."""

from collections.abc import Iterator

from tuner.evaluation.metrics import Evaluated
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    recipe = parts.recipe
    adapters = [parts.one("train", name) for name in recipe.training]
    settings = {
        "student": parts.models["student"],
        **recipe.models.rendering("student"),
        "seed": recipe.seed,
        "adapters": list(recipe.training),
        **recipe.settings_of("evaluation"),
    }
    yield EVALUATE.part(settings, {"data": parts.one("split"), "adapters": adapters})


def _work(work: Work) -> Evaluated:
    from tuner.evaluation.evaluate import evaluate
    from tuner.settings import settings

    cache = settings().folder("cache/adapters")
    adapters = {
        name: work.store.fetch_folder(manifest, "adapter", cache / manifest.fingerprint)
        for name, manifest in zip(work.recipe.training, work.manifests("adapters"), strict=True)
    }
    return evaluate(work.recipe, work.file("data", "validation.parquet"), adapters, work.folder)


EVALUATE = Stage(
    "evaluate",
    3,
    Evaluated,
    _parts,
    _work,
    "Compares adapters with each other and with the base model, on held-out rows.",
    gpu=True,
    exact=False,
)
