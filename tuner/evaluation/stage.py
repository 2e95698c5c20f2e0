"""The stage `evaluate`: base and adapters on the same held-out rows."""

from collections.abc import Iterator

from tuner.evaluation.metrics import Evaluated
from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    recipe = parts.recipe
    adapters = [parts.one("train", name) for name in recipe.trained]
    settings = {
        "student": parts.models["student"],
        **recipe.models.rendering("student"),
        "seed": recipe.seed,
        "adapters": list(recipe.trained),
        **recipe.settings_of("evaluation"),
    }
    pairs = {"pairs": parts.one("pair")} if parts.of("pair") else {}
    yield EVALUATE.part(settings, {"data": parts.one("split"), "adapters": adapters, **pairs})


def _work(work: Work) -> Evaluated:
    from tuner.evaluation.evaluate import evaluate
    from tuner.settings import settings

    cache = settings().folder("cache/adapters")
    adapters = {
        name: work.store.fetch_folder(manifest, "adapter", cache / manifest.fingerprint)
        for name, manifest in zip(work.recipe.trained, work.manifests("adapters"), strict=True)
    }
    held_out, pairs = file_of(SIDES[VALIDATION]), None
    if "pairs" in work.part.reads and SIDES[VALIDATION] in written(made := work.manifest("pairs")):
        pairs = work.store.fetch(made, held_out)
    return evaluate(work.recipe, work.file("data", held_out), adapters, work.folder, pairs)


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
