"""The dataset card: a README.md with the YAML header that the Hugging Face hub reads.

https://huggingface.co/docs/hub/datasets-cards
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tuner.curation.metrics import Curated
from tuner.curation.settings import Curation
from tuner.export import distributions, licences, origin, sections
from tuner.export.licences import Licence
from tuner.recipe import Recipe
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import SIDES, file_of
from tuner.streams import stem

if TYPE_CHECKING:
    from tuner.owndata.metrics import FileCuration

LANGUAGE_SHARE = 0.01
"""The share of kept rows from which a language is listed in the header."""

_SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))

Files = Mapping[str, Mapping[str, str]]
"""File patterns within the dataset, by configuration (the first is the default) and split."""

RUN_FILES: Files = {
    "default": {side: f"data/{file_of(side)}" for side in SIDES},
    "rejected": {"rejected": "rejected/rejected.parquet"},
}
OWN_FILES: Files = {"default": {"train": "kept/*.parquet"}, "rows": {"rows": "rows/*.parquet"}}


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run for its card.

    Attributes:
        name: The run's name.
        recipe: The recipe of the run.
        curated: The metrics of `curate`.
        split: The metrics of `split`.
        rows: The files of `rows` of `curate`.
        files: The layout of the data.
    """

    name: str
    recipe: Recipe
    curated: Curated
    split: SplitMetrics
    rows: Sequence[Path]
    files: Files = field(default_factory=lambda: RUN_FILES)


def of_run(facts: RunFacts) -> str:
    """The card of a run's data."""
    recipe = facts.recipe
    title, licence = origin.title(recipe), origin.licence(recipe)
    measured = distributions.measure(facts.rows)
    rows = facts.split.train + facts.split.tuning + facts.split.validation
    said = [
        *origin.text(recipe, rows, measured, facts.curated),
        "",
        f"It was made by the Synthetic Instruction Tuner in the run `{facts.name}`, with the seed {recipe.seed}.",
    ]
    if (rounds := recipe.generation.rounds) > 1:
        said += [
            "",
            f"The rows were drawn in {rounds} rounds, each under a seed of its own: {recipe.seed} to "
            f"{recipe.seed + rounds - 1}. Of duplicates that of the earliest round was kept.",
        ]
    plain = {key: getattr(recipe, key) for key in ("name", "seed")}
    generators = [origin.public(model) for model in dict.fromkeys(recipe.generators.values())]
    plain["models"] = {"generators": generators}
    plain |= {key: recipe.settings_of(key) for key in ("generation", "curation", "split")}
    return _text(
        _header(title, licence, origin.tags(recipe), rows, measured.languages, facts.files),
        title,
        [
            ("What it is", said),
            ("How to load it", sections.loading(facts.files, "rejected rows, with the reasons")),
            (
                "Models and licence",
                [*(f"Generator: `{origin.public(model)}`." for model in recipe.generators.values()), licence.note],
            ),
            ("What was kept", sections.funnel(facts.curated)),
            ("Duplicates", sections.duplicates(facts.curated, recipe.curation)),
            ("Split", sections.split(facts.split)),
            ("Distributions", sections.spread(measured)),
            ("Diversity", sections.diversity(facts.curated.diversity)),
            ("Known limits", sections.limits(facts.curated, recipe.curation, generated=bool(recipe.generators))),
            ("Recipe", sections.folded(_yaml(_with_public_paths(plain)))),
        ],
    )


def of_own_data(file: Path, curation: Curation, result: "FileCuration", folder: Path) -> str:
    """The card of a user's own data after curation, in the layout of `OWN_FILES`.

    Args:
        file: What was curated, or the first of several files.
        curation: The settings.
        result: The metrics.
        folder: The folder that contains `rows`.
    """
    measured = distributions.measure(sorted((folder / "rows").glob("*.parquet")))
    set_aside = sum(result.set_aside.values())
    name = sections.code(file.name)
    words = [
        f"Instructions and responses from {name}, curated: of {result.rows:,} rows {result.kept:,} were kept. "
        f"The columns read are {sections.code(result.source.kind)}."
    ]
    if notes := result.source.notes:
        words += ["", *(f"- {sections.cell(note)}" for note in notes)]
    if set_aside:
        words += [
            "",
            f"{set_aside:,} {'row' if set_aside == 1 else 'rows'} could not be curated and stand in `set_aside.jsonl`:",
            "",
        ]
        words += sections.table(["reason", "rows"], [[sections.cell(k), f"{v:,}"] for k, v in result.set_aside.items()])
    title = " ".join(stem(file).split()) or "data"
    return _text(
        _header(title, licences.OWN, ["instruction-tuning", "curated"], result.kept, measured.languages, OWN_FILES),
        f"{sections.cell(title)}, curated",
        [
            ("What it is", words),
            ("How to load it", sections.loading(OWN_FILES, "every row with its verdict, reasons and scores")),
            ("Licence", [licences.OWN.note]),
            ("What was kept", sections.funnel(result)),
            ("Duplicates", sections.duplicates(result, curation)),
            ("Distributions", sections.spread(measured)),
            ("Diversity", sections.diversity(result.diversity)),
            ("Known limits", sections.limits(result, curation, generated=False)),
            ("Recipe", sections.folded(_yaml(_with_public_paths({"curation": curation.model_dump(mode="json")})))),
        ],
    )


def _with_public_paths(recipe: dict[str, Any]) -> dict[str, Any]:
    """The sections of a recipe with the public names of files."""
    against = [origin.public(name) for name in recipe["curation"]["decontamination"]["against"]]
    recipe["curation"]["decontamination"]["against"] = against
    for each in recipe.get("generation", {}).get("sources", {}).values():
        each |= {"path": list(map(origin.public, each["path"]))} if "path" in each else {}
        each |= {"generator": origin.public(each["generator"])} if "generator" in each else {}
    return recipe


def _header(
    title: str, licence: Licence, tags: list[str], rows: int, languages: Mapping[str, int], files: Files
) -> dict[str, Any]:
    named = [code for code, count in languages.items() if count >= LANGUAGE_SHARE * sum(languages.values())]
    return {
        **({"language": named} if named else {}),
        **licence.header,
        "pretty_name": title,
        "task_categories": ["text-generation"],
        "tags": tags,
        "size_categories": [next((name for most, name in _SIZES if rows < most), "n>10M")],
        "configs": [
            {
                "config_name": config,
                **({"default": True} if number == 0 else {}),
                "data_files": [{"split": split, "path": path} for split, path in splits.items()],
            }
            for number, (config, splits) in enumerate(files.items())
        ],
    }


def _text(header: Mapping[str, Any], title: str, parts: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = ["---", _yaml(header).rstrip(), "---", "", f"# {title}", ""]
    for heading, words in parts:
        lines += [f"## {heading}", "", *words, ""]
    return "\n".join(lines)


def _yaml(data: Any) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
