"""The stage `split`: which kept rows train, and which are held out."""

from collections.abc import Iterator

from tuner.curation.metrics import Curated
from tuner.errors import InputError
from tuner.splitting.metrics import Divided
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    settings = parts.recipe.settings_of("split")
    former = settings.pop("former")
    yield SPLIT.part(settings, {"rows": parts.one("curate")}, given={"former": former} if former else {})


def _work(work: Work) -> Divided:
    from tuner.splitting.split import Former, split

    curated = work.manifest("rows")
    kept = work.store.fetch_all(curated, "kept")
    settings = work.recipe.split
    former = None
    if settings.former:
        earlier = work.store.find("split", settings.former)
        if earlier is None:
            raise InputError(f"split.former: there is no split {settings.former[:12]}... in {work.store.url}")
        former = Former(*(work.store.fetch(earlier, f"{side}.parquet") for side in ("train", "validation")))
    return split(kept, settings, former, Curated.read(curated), work.folder)


SPLIT = Stage("split", 2, Divided, _parts, _work, "Holds rows out, none of which is near to one that is trained on.")
