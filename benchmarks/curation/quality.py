"""How right curation is: precision and recall against what was planted.

Duplicates are looked for by all of curation, as `tuner curate` runs it. What is said of a row alone is only recorded:
it would else reject the row, and a rejected row takes no part in the search for duplicates.
"""

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.curation import truth
from benchmarks.curation.figures import Figure
from benchmarks.curation.personal import PLANTS
from benchmarks.curation.planted import Plan, Shares
from benchmarks.curation.sample import APART, Sample, make, of_one_group, without_copies
from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.checks.duplicates import Duplicates, Near, Semantic
from tuner.curation.checks.safety import Safety
from tuner.curation.detectors import personal_data
from tuner.curation.duplicates import embedding
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.errors import InputError
from tuner.owndata import curate

NEAR = 0.7
"""The similarity from which the second figure wants near duplicates to be found."""
SPREAD = Shares(exact=0, near=0.4, paraphrase=0, personal=0, decoy=0, toxic=0, innocent=0, leak=0, edits=(0.002, 0.06))
"""Rows whose duplicates lie at all distances from them, 0.55 to 1."""
LINES = Shares(exact=0, near=0, paraphrase=0, personal=0.3, decoy=0.3, toxic=0.1, innocent=0.1, leak=0.1)
PARAPHRASES = Shares(exact=0, near=0, paraphrase=0.05, personal=0, decoy=0, toxic=0, innocent=0, leak=0)

ALONE = tuple(REASONS)[: tuple(REASONS).index("duplicate")]
"""The reasons that are said of a row alone."""


def settings(near: Near | None = None, semantic: Semantic | None = None, prompts: Path | None = None) -> Curation:
    """Curation that rejects duplicates and records everything else."""
    return Curation(
        ignore=ALONE,
        duplicates=Duplicates(near=near or Near(), semantic=semantic),
        safety=Safety(toxicity="mark", personal_data="mark"),
        decontamination=Decontamination(against=(str(prompts),) if prompts else ()),
    )


def curated(sample: Sample, curation: Curation, name: str) -> pl.DataFrame:
    """The sample's rows as curation leaves them, in the order of the file."""
    to = sample.file.parent / name
    curate.run(sample.file, curation, to)
    columns = ["row_id", "reasons", "marks", "cluster", "duplicate_of"]
    found = pl.read_parquet(sorted((to / "rows").glob("*.parquet")), columns=columns)
    return sample.rows.join(found, on="row_id", how="left", maintain_order="left")


def clusters(found: pl.DataFrame) -> np.ndarray:
    """The cluster of each row as a number."""
    return found["cluster"].rank("dense").to_numpy().astype(np.int64)


def duplicates(sample: Sample) -> list[Figure]:
    """Exact duplicates; and planted edits of 5 % of the words, compared as one text and with the recipe's defaults."""
    found = curated(sample, settings(), "defaults")
    precision, recall = _exact(found)
    distinct = without_copies(found)
    partners = of_one_group(distinct)
    edited, similarity = planted_edits(distinct)
    figures = [
        Figure("exact duplicates, precision", precision, least=1),
        Figure("exact duplicates, recall", recall, least=1, note=f"{_copies(sample.rows):,} planted"),
    ]
    whole = without_copies(curated(sample, settings(near=Near(on=("both",))), "both"))
    for name, rows in (("texts as one", whole), ("by default", distinct)):
        precision, recall = truth.scores(clusters(rows), edited, partners)
        figures.append(Figure(f"edits of 5 % of the words, {name}, precision", precision, least=0.99))
        figures.append(Figure(f"edits of 5 % of the words, {name}, recall", recall, least=0.95))
    note = f"{len(edited):,} planted; {sample.alike} rows alike by nature ({APART}) removed"
    return [*figures, Figure("  similarity of edits of 5 % of the words, mean", similarity, note=note)]


def planted_edits(distinct: pl.DataFrame) -> tuple[truth.Pairs, float]:
    """Each edited row and its base row, as positions in rows without copies; and their mean similarity."""
    places = distinct.select("group", "role").with_row_index("row")
    base = places.filter(pl.col("role") == "base").select("group", base="row")
    edits = places.filter(pl.col("role") == "near").join(base, on="group")
    edited = edits.select("row", "base").to_numpy().astype(np.int64)
    ends = pl.DataFrame({"a": edited.min(1), "b": edited.max(1)})
    known = ends.join(truth.similar(distinct, APART), on=["a", "b"])
    return edited, float(known["jaccard"].to_numpy().mean())


def spread(sample: Sample) -> list[Figure]:
    """Near duplicates of a true similarity of 0.7 and more, searched for from there on."""
    found = curated(sample, settings(near=Near(on=("both",), similarity=NEAR)), "spread")
    pairs = truth.similar(sample.rows, NEAR).select("a", "b").to_numpy().astype(np.int64)
    precision, recall = truth.scores(clusters(found), pairs, pairs)
    return [
        Figure("near duplicates of similarity 0.7 and more, precision", precision, least=0.99),
        Figure("near duplicates of similarity 0.7 and more, recall", recall, least=0.97, note=f"{len(pairs):,} pairs"),
    ]


def lines(sample: Sample) -> list[Figure]:
    """Personal data by kind; toxic lines and leaked prompts."""
    figures = []
    places = _personal(sample.rows)
    for kind in PLANTS:
        precision, recall, number = _of_kind(sample.rows, places, kind)
        figures.append(Figure(f"personal data, {kind}, precision", precision, least=0.98))
        figures.append(Figure(f"personal data, {kind}, recall", recall, least=0.95, note=f"{number:,} planted"))
    found = curated(sample, settings(prompts=sample.file.with_name("prompts.jsonl")), "lines")
    for role, name, marks in (
        ("toxic", "toxic lines", ["toxic"]),
        ("leak", "leaked prompts", ["benchmark_overlap", "near_benchmark"]),
    ):
        marked = (found["marks"].list.set_intersection(marks).list.len() > 0).to_numpy()
        there = (found["role"] == role).to_numpy()
        figures.append(Figure(f"{name}, precision", float(there[marked].mean())))
        figures.append(Figure(f"{name}, recall", float(marked[there].mean()), note=f"{there.sum():,} planted"))
    return figures


def paraphrases(sample: Sample) -> list[Figure]:
    """Planted paraphrases of instructions, where an embedder is installed; else nothing."""
    try:
        embedding.load(Semantic().embedder)
    except InputError as error:
        return [Figure("paraphrases, recall", float("nan"), note=str(error))]
    found = curated(sample, settings(semantic=Semantic()), "paraphrases")
    places = found.select("group", "role").with_row_index("row")
    base = places.filter(pl.col("role") == "base").select("group", base="row")
    pairs = places.filter(pl.col("role") == "paraphrase").join(base, on="group").select("row", "base")
    planted = pairs.to_numpy().astype(np.int64)
    precision, recall = truth.scores(clusters(found), planted, of_one_group(found))
    return [
        Figure("paraphrases of instructions, precision", precision),
        Figure("paraphrases of instructions, recall", recall, note=f"{len(planted):,} planted, by rule, not by hand"),
    ]


def measure(sentences: list[str], rows: int, folder: Path) -> list[Figure]:
    """All figures, on samples of about so many rows."""
    return [
        *duplicates(make(Plan(sentences, rows), folder / "duplicates")),
        *spread(make(Plan(sentences, rows // 2, SPREAD, seed=2), folder / "spread")),
        *lines(make(Plan(sentences, rows // 2, LINES, seed=3), folder / "lines")),
        *paraphrases(make(Plan(sentences, rows // 20, PARAPHRASES, seed=4), folder / "paraphrases")),
    ]


def _exact(found: pl.DataFrame) -> tuple[float, float]:
    same = pl.col("role").is_in(["base", "exact"])
    groups = found.select("row_id", twin=pl.when(same).then("group"))
    losers = (
        found.filter(pl.col("reasons").list.contains("duplicate"))
        .join(groups.rename({"row_id": "duplicate_of", "twin": "theirs"}), on="duplicate_of")
        .join(groups.rename({"twin": "ours"}), on="row_id")
    )
    right = len(losers.filter(pl.col("ours") == pl.col("theirs")))
    return right / max(1, len(losers)), right / _copies(found)


def _copies(rows: pl.DataFrame) -> int:
    """Rows that have to lose against one like them."""
    same = rows.filter(pl.col("role").is_in(["base", "exact"]))
    return len(same) - same["group"].n_unique()


def _personal(rows: pl.DataFrame) -> pl.DataFrame:
    """Where personal data are found, with what is planted in that row."""
    found = [
        personal_data.find(rows[column]).with_columns(column=pl.lit(column)) for column in ("instruction", "response")
    ]
    truths = rows.select("role", "detail", planted_start="start", planted_end="end").with_row_index("row")
    return pl.concat(found).join(truths.with_columns(pl.col("row").cast(pl.Int64)), on="row")


def _of_kind(rows: pl.DataFrame, places: pl.DataFrame, kind: str) -> tuple[float, float, int]:
    found = places.filter(pl.col("kind") == kind)
    right = found.filter(
        (pl.col("role") == "personal")
        & (pl.col("detail") == kind)
        & (pl.col("column") == "response")
        & (pl.col("start") < pl.col("planted_end"))
        & (pl.col("end") > pl.col("planted_start"))
    )
    planted = len(rows.filter((pl.col("role") == "personal") & (pl.col("detail") == kind)))
    return len(right) / max(1, len(found)), right["row"].n_unique() / max(1, planted), planted
