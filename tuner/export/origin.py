"""Where the rows of a run come from, for its card: one paragraph for Magpie alone, a table for several sources."""

from pathlib import Path

from tuner.curation.metrics import Curated
from tuner.export import licences, sections
from tuner.export.distributions import Distributions
from tuner.export.licences import Licence
from tuner.generation.sources import Documents, Magpie, Refine
from tuner.models import source
from tuner.reading.settings import Existing, Hub
from tuner.recipe import Recipe

_MAGPIE = (
    "with nothing but its own chat template ([Magpie](https://arxiv.org/abs/2406.08464)): the model was given its "
    "template up to where a user's words begin, went on with an instruction, and then answered it"
)


def public(name: str) -> str:
    """The name of a model or file for the card, which omits the folder of a local path."""
    return f"./{Path(name).name}" if name.startswith((".", "/", "~")) else name


def title(recipe: Recipe) -> str:
    """What the data are."""
    drawn = [recipe.generator(name) for name, each in recipe.generation.sources.items() if isinstance(each, Magpie)]
    titles = list(dict.fromkeys(source.parse(model).title for model in drawn))
    return f"Instructions drawn out of {' and '.join(titles)}" if titles else f"Instructions of {recipe.name}"


def tags(recipe: Recipe) -> list[str]:
    """Tags of the hub."""
    sources = recipe.generation.sources.values()
    synthetic = ["synthetic"] if recipe.generators else []
    return [
        *synthetic,
        *(["magpie"] if any(isinstance(each, Magpie) for each in sources) else []),
        "instruction-tuning",
    ]


def text(recipe: Recipe, rows: int, measured: Distributions, curated: Curated) -> list[str]:
    """How the rows were made.

    Args:
        recipe: The recipe.
        rows: Rows after the split.
        measured: Distributions over the kept rows.
        curated: The metrics of `curate`.
    """
    after = f"The rows were cleaned and curated; of {curated.rows:,} rows {curated.kept:,} were kept."
    sources = recipe.generation.sources
    if len(sources) == 1 and isinstance(next(iter(sources.values())), Magpie):
        (name,) = sources
        return [
            f"{rows:,} instructions and responses, drawn out of `{public(recipe.generator(name))}` {_MAGPIE}. {after}"
        ]
    table = [
        [f"`{name}`", _said(recipe, name), f"{measured.sources.get(name, 0):,}"]
        for name in sources
        if name not in recipe.generation.drafts
    ]
    return [
        f"{rows:,} instructions and responses of several sources. {after}",
        "",
        *sections.table(["source", "what it is", "rows kept"], table),
    ]


def licence(recipe: Recipe) -> Licence:
    """The licence of the rows: that of what their generator requires, if there is no other source."""
    models = list(dict.fromkeys(map(public, recipe.generators.values())))
    existing = any(isinstance(each, Existing) for each in recipe.generation.sources.values())
    if len(models) == 1 and not existing:
        return licences.of_generator(models[0])
    notes = [licences.of_generator(model).note for model in models]
    own = ["Rows and texts that existed already have the licence of their authors."] if existing else []
    return Licence("other", " ".join([*own, *notes]), "several-licences")


def _said(recipe: Recipe, name: str) -> str:
    each = recipe.generation.sources[name]
    match each:
        case Magpie():
            return f"drawn out of `{public(recipe.generator(name))}` {_MAGPIE}"
        case Documents():
            return f"texts that existed, with instructions that `{public(recipe.generator(name))}` wrote for them"
        case Refine():
            return (
                f"`{each.of}` ({_said(recipe, each.of)}), rewritten and answered by `{public(recipe.generator(name))}`"
            )
        case Hub():
            return f"the data set `{each.dataset}` of the hub, commit `{each.contents.sha256 if each.contents else ''}`"
        case _:
            return "rows that existed"
