"""The sections of a dataset card, each as lines of Markdown."""

import re
from collections.abc import Mapping, Sequence

from tuner.curation.metrics import Curated, Diversity
from tuner.curation.reasons import REASONS
from tuner.curation.settings import Curation
from tuner.export.distributions import QUANTILES, Distributions
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import PURPOSES, VALIDATION

Lines = list[str]

_LANGUAGES_SHOWN = 10


def loading(files: Mapping[str, Mapping[str, str]], second: str) -> Lines:
    """How to load the data: the default configuration, and the other one, described by `second`, if there is one."""
    lines = [
        "```python",
        "from datasets import load_dataset",
        "",
        'rows = load_dataset("PATH")  # this folder, or its name on the hub',
    ]
    for other, splits in list(files.items())[1:]:
        lines += [f'others = load_dataset("PATH", "{other}", split="{split}")  # {second}' for split in splits]
    return [
        *lines,
        "```",
        "",
        "Each row has `messages`, and the same divided into `prompt` and `completion`, as TRL trains on them.",
    ]


def funnel(curated: Curated) -> Lines:
    """Rejected rows by reason, in the order of the checks; a row counts for its first reason."""
    rows_by_first_reason, reasons, marks = curated.funnel, curated.reasons, curated.marks
    rows = [["rows that came in", f"{curated.rows:,}", ""]]
    rows += [
        [f"`{name}`: {REASONS[name]}", f"-{count:,}", f"{reasons[name]:,}"]
        for name, count in rows_by_first_reason.items()
        if reasons[name]
    ]
    rows.append(["**kept**", f"**{curated.kept:,}**", ""])
    lines = table(["reason", "rows, by first reason", "rows that it applies to"], rows, numbers=2)
    if marked := [f"`{name}` ({count:,})" for name, count in marks.items() if count]:
        lines += ["", f"Recorded only, without rejecting a row or after masking what was found: {', '.join(marked)}."]
    if masked := [f"{code(name)} ({count:,})" for name, count in curated.masked_columns.items()]:
        lines += ["", f"Masked as well, in the columns of text beside the messages, by rows: {', '.join(masked)}."]
    if idle := [f"`{name}`" for name in rows_by_first_reason if not reasons[name] and not marks[name]]:
        lines += ["", f"Applied to no row, or not looked for: {', '.join(idle)}."]
    return lines


def duplicates(curated: Curated, curation: Curation) -> Lines:
    """Numbers of duplicates by kind, and how they were found."""
    clusters, reasons = curated.clusters, curated.reasons
    near, semantic = curation.duplicates.near, curation.duplicates.semantic
    lines = [
        f"- Exact, after NFKC, case folding and folding of white space: {reasons['duplicate']:,} rows.",
        (
            f"- Near, by the Jaccard similarity ({near.similarity} and more) of word {near.ngram}-grams on "
            f"{', '.join(near.on)}: {reasons['near_duplicate']:,} rows."
        )
        if near
        else "- Near duplicates were not looked for.",
        (
            f"- Semantic, by the cosine ({semantic.similarity} and more) of embeddings of {semantic.on}: "
            f"{reasons['semantic_duplicate']:,} rows."
        )
        if semantic
        else "- Semantic duplicates (the same in other words) were not looked for.",
    ]
    if clusters.number:
        largest = max(int(size) for size in clusters.sizes)
        lines.append(
            f"- Together {clusters.number:,} clusters of {clusters.rows:,} rows, the largest of {largest:,}. The "
            "best by score stays; each other row names it in `duplicate_of`."
        )
    return lines


def split(divided: SplitMetrics) -> Lines:
    """The sides, and the proof that nothing leaks."""
    check = divided.check
    tuning = f"{divided.tuning:,} are to choose settings by, " if divided.tuning else ""
    lines = [
        f"{divided.train:,} rows train, {tuning}{divided.validation:,} are held out. The side follows from a hash of "
        "the instruction; what is near stands on one side, whole clusters together.",
    ]
    if divided.left_out:
        lines.append(
            f"{divided.left_out:,} more stand on {'none' if divided.tuning else 'neither'}: they are near to rows of "
            "an earlier split on a side that they do not fall on."
        )
    if check.template_ngrams:
        lines.append(
            f"What very many instructions share, {check.template_ngrams:,} phrases of {check.ngram} words, weighs "
            "nothing: rows under one task description are near only if what each adds to it is."
        )
    return [*lines, "", "Checked after the split, by other means than it was made:", *_leak_checks(divided)]


def _leak_checks(divided: SplitMetrics) -> Lines:
    """A table for every two sides."""
    lines: Lines = []
    for side, other, check in divided.checks:
        near = f"Jaccard of {check.ngram}-grams {check.similarity} and more"
        rows = [
            [f"equals one in {PURPOSES[other]}", f"{check.exact_overlap:,}"],
            [f"is near to one in {PURPOSES[other]} ({near})", f"{check.near_overlap:,}"],
        ]
        kind = "held-out" if side == VALIDATION else PURPOSES[side]
        lines += ["", *table([f"{kind} rows whose instruction", "rows"], rows, numbers=1)]
    return lines


def spread(measured: Distributions) -> Lines:
    """Quantiles of lengths and scores, and languages, of the kept rows."""
    if not measured.quantiles:
        return ["No row was kept."]
    titles = [{0.0: "least", 0.5: "median", 1.0: "most"}.get(q, f"{q:.0%}") for q in QUANTILES]
    rows = [
        [name.replace("_", " "), *(f"{value:.3f}" if name == "quality" else f"{value:,.0f}" for value in values)]
        for name, values in measured.quantiles.items()
    ]
    lines = table(["of the kept rows", *titles], rows, numbers=len(titles))
    if measured.languages:
        total = sum(measured.languages.values())
        shown = [f"{code} {count / total:.1%}" for code, count in list(measured.languages.items())[:_LANGUAGES_SHOWN]]
        more = len(measured.languages) - len(shown)
        lines += ["", f"Languages, as detected: {', '.join(shown)}{f' and {more} more' if more > 0 else ''}."]
    return lines


def diversity(measured: Diversity) -> Lines:
    """The diversity of the kept instructions."""
    if not measured.sample:
        return ["No row was kept."]
    rows = [
        ["distinct-1", _figure(measured.distinct_1)],
        ["distinct-2", _figure(measured.distinct_2)],
        ["distinct-3", _figure(measured.distinct_3)],
        ["compression ratio", _figure(measured.compression_ratio)],
    ]
    if neighbour := measured.nearest_neighbour:
        rows.append([f"distance to the nearest neighbour, median (of {neighbour.of:,})", _figure(neighbour.median)])
    if novel := measured.novelsum:
        rows.append([f"NovelSum on {novel.on} (of {novel.of:,})", _figure(novel.value)])
    openings = ", ".join(f"{code(opening)} {share:.1%}" for opening, share in measured.openings.items())
    return [
        f"Of {measured.sample:,} instructions of the {measured.kept:,} kept:",
        "",
        *table(["measure", "value"], rows, numbers=1),
        "",
        "Distinct-n: different n-grams over all (arXiv 1510.03055), higher is more varied. Compression ratio: bytes "
        "over compressed bytes (arXiv 2403.00553), lower is more varied. Distance: one minus the Jaccard similarity "
        "of the sets of words. NovelSum: distances weighted by nearness (arXiv 2502.17184, without its density "
        "factor), higher is more varied.",
        "",
        f"Most frequent openings: {openings}.",
    ]


def limits(curated: Curated, curation: Curation, generated: bool) -> Lines:
    """Known limits of the data."""
    safety = curation.safety
    lines = [
        "Rows are judged by rules, word lists and overlaps of words. Neither a person nor a model has checked whether "
        "a response is true, helpful, or does what its instruction asks.",
        "The quality score is a formula over length, common English words, repetition, form and variety. It orders "
        "rows by how they look, not by how right they are, and favours English prose.",
    ]
    if generated:
        lines.append("The texts are a model's: they share its errors, its biases and what it invents.")
    if curation.duplicates.near:
        lines.append(
            "Near duplicates are looked for by signatures: a pair just above the limit can be missed, and texts "
            "that say the same in other words are no near duplicates."
        )
    if curated.unfinished_buckets:
        lines.append(
            f"{curated.unfinished_buckets:,} groups of rows were too large to compare each with each: near "
            "duplicates may be left in them."
        )
    for action, what in (
        (safety.toxicity, "Slurs, threats, insults and the like, in English,"),
        (safety.personal_data, "Personal data"),
    ):
        lines.append(
            f"{what} were not looked for."
            if action == "leave"
            else f"{what} are found by lists and patterns; what is worded or written otherwise is missed."
            + (" What was found is only marked and stands in the data." if action == "mark" else "")
        )
    if curation.safety.personal_data != "leave":
        lines.append("Names and postal addresses of people are not looked for.")
    if curation.language is not None:
        lines.append("The language of short texts and of code is often not detected, and then rejects nothing.")
    against = ", ".join(code(name.rpartition("/")[2]) for name in curation.decontamination.against)
    lines.append(
        f"Prompts of benchmarks were looked for only as far as they stand in {against}."
        if against
        else "No benchmark was given to look for: prompts of one may be in the data."
    )
    return [f"- {line}" for line in lines]


def folded(text: str) -> Lines:
    """YAML that opens on a click, in a fence that its content cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["<details><summary>YAML</summary>", "", f"{fence}yaml", text.rstrip(), fence, "", "</details>"]


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> Lines:
    """A table whose last columns are numbers."""
    rule = ["---"] * (len(titles) - numbers) + ["---:"] * numbers
    return [f"| {' | '.join(row)} |" for row in (titles, rule, *rows)]


def cell(text: str) -> str:
    """Any text as plain Markdown on one line, with its markup escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Any text as inline code, also within a table."""
    plain = " ".join(text.split()).replace("`", "'").replace("|", "¦")
    return f"`{plain}`" if plain else "(none)"


def _figure(value: float | None) -> str:
    return "too little" if value is None else f"{value:.3f}"
