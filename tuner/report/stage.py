"""The stage `report`: the results as one page, its figures, and the numbers as JSON and CSV."""

from collections.abc import Iterator

from tuner.report.metrics import Reported
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    reads = {
        "shards": parts.of("generate"),
        "examined": parts.of("examine"),
        "matched": parts.of("match"),
        "curated": parts.one("curate"),
        "split": parts.one("split"),
        **_preference(parts),
        "adapters": [parts.one("train", name) for name in parts.recipe.trained],
        "evaluation": parts.one("evaluate"),
    }
    recipe = parts.recipe.model_dump(mode="json")
    recipe["generation"].pop("at_most", None)  # it decides when a run ends, and nothing of what it has drawn
    yield REPORT.part({"recipe": recipe}, reads)


def _preference(parts: Parts) -> dict[str, Part | list[Part]]:
    """What preference pairs are made from, and they; nothing if there are none."""
    if not parts.of("pair"):
        return {}
    return {"candidates": parts.of("candidates"), "scores": parts.of("score"), "pairs": parts.one("pair")}


def _work(work: Work) -> Reported:
    from tuner.preference.metrics import Paired
    from tuner.report.inputs import Inputs
    from tuner.report.write import report

    names = list(work.recipe.trained)
    preferred = [work.manifest("pairs")] if "pairs" in work.part.reads else []
    curate = work.manifest("curated")
    inputs = Inputs(
        recipe=work.recipe,
        parts=[manifest for role in ("shards", "examined", "matched") for manifest in work.manifests(role)],
        preference=[manifest for role in ("candidates", "scores") if preferred for manifest in work.manifests(role)]
        + preferred,
        curate=curate,
        split=work.manifest("split"),
        training=dict(zip(names, work.manifests("adapters"), strict=True)),
        evaluate=work.manifest("evaluation"),
        rows=work.store.fetch_all(curate, "rows"),
        curves=dict(zip(names, work.files("adapters", "curve.parquet"), strict=True)),
        losses=work.file("evaluation", "losses.parquet"),
        samples=work.file("evaluation", "samples.parquet"),
        pairs={
            side: work.store.fetch(made, f"{side}.parquet") for made in preferred for side in Paired.read(made).pairs
        },
    )
    return report(inputs, work.folder)


REPORT = Stage("report", 7, Reported, _parts, _work, "Writes the report.")
