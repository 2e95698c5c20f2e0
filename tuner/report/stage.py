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
        "adapters": parts.of("train"),
        "evaluation": parts.one("evaluate"),
    }
    recipe = parts.recipe.model_dump(mode="json")
    recipe["generation"].pop("at_most", None)  # it decides when a run ends, and nothing of what it has drawn
    yield REPORT.part({"recipe": recipe}, reads)


def _work(work: Work) -> Reported:
    from tuner.report.inputs import Inputs
    from tuner.report.write import report

    names = list(work.recipe.training)
    curate = work.manifest("curated")
    inputs = Inputs(
        recipe=work.recipe,
        parts=[manifest for role in ("shards", "examined", "matched") for manifest in work.manifests(role)],
        curate=curate,
        split=work.manifest("split"),
        training=dict(zip(names, work.manifests("adapters"), strict=True)),
        evaluate=work.manifest("evaluation"),
        rows=work.store.fetch_all(curate, "rows"),
        curves=dict(zip(names, work.files("adapters", "curve.parquet"), strict=True)),
        losses=work.file("evaluation", "losses.parquet"),
        samples=work.file("evaluation", "samples.parquet"),
    )
    return report(inputs, work.folder)


REPORT = Stage("report", 6, Reported, _parts, _work, "Writes the report.")
