"""The stage `read`: the rows and texts that exist already, one artifact per source."""

from collections.abc import Iterator

from tuner.reading.metrics import Read
from tuner.stage import Part, Parts, Stage, Work


def _parts(parts: Parts) -> Iterator[Part]:
    from tuner.reading.settings import Existing, Texts

    recipe = parts.recipe
    for name, source in recipe.generation.sources.items():
        if isinstance(source, Existing):
            # All texts are read, in one order: if more of them are asked for, those before stay valid.
            amount = {} if isinstance(source, Texts) else {"rows": recipe.generation.amounts[name]}
            settings = {"name": name, "seed": recipe.seed, **source.read_identity(), **amount}
            yield READ.part(settings, {}, name)


def _work(work: Work) -> Read:
    from tuner.reading.read import read
    from tuner.reading.settings import Existing

    name, recipe = work.part.label, work.recipe
    source = recipe.generation.sources[name]
    assert isinstance(source, Existing)
    return read(name, source, recipe.generation.amounts[name], recipe.seed, work.folder)


READ = Stage(
    "read",
    1,
    Read,
    _parts,
    _work,
    "Reads the rows and texts of a recipe's files and data sets.",
    per="source",
)
