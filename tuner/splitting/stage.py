"""The stage `split`: splits kept rows into those to train on, to choose by and to hold out for the verdict."""

from collections.abc import Iterator

from tuner.curation.metrics import Curated
from tuner.errors import InputError
from tuner.splitting.metrics import SplitMetrics
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    settings = parts.recipe.settings_of("split")
    former = settings.pop("former")
    yield SPLIT.part(settings, {"rows": parts.one("curate")}, external={"former": former} if former else {})


def _work(work: Work) -> SplitMetrics:
    from tuner.splitting import sides, templates
    from tuner.splitting.split import Former, split

    curated = work.manifest("rows")
    kept = work.store.fetch_all(curated, "kept")
    settings = work.recipe.split
    former = None
    if settings.former:
        earlier = work.store.find("split", settings.former)
        if earlier is None:
            raise InputError(f"split.former: there is no split {settings.former[:12]}... in {work.store.url}")
        names = sides.written(earlier)
        files = {sides.SIDES.index(name): work.store.fetch(earlier, sides.file_of(name)) for name in names}
        # Splits before version 4 have no such file, for they compared whole instructions.
        has_templates = any(file.name == templates.FILE for file in earlier.files)
        former = Former(files, work.store.fetch(earlier, templates.FILE) if has_templates else None)
    return split(kept, settings, former, Curated.read(curated), work.folder)


SPLIT = Stage(
    "split",
    4,
    SplitMetrics,
    _parts,
    _work,
    "Splits rows into training, tuning and held-out rows, with no near duplicates across.",
)
