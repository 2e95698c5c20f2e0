"""The diversity of the kept instructions, and the check of the split for leaks, in words."""

from tuner.curation.metrics import Diversity
from tuner.report.wording import count, number, percent, rows_of
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import PURPOSES, VALIDATION


def diversity(metrics: Diversity) -> list[tuple[str, str, str]]:
    """The measures, as (name, value, meaning); those for which there was too little text are left out."""
    nearest = metrics.nearest_neighbour
    median, mean = (nearest.median, nearest.mean) if nearest else (None, None)
    of = f" Of {count(nearest.of)} instructions." if nearest else ""
    words = "Different words over all words; higher is more varied. Falls as the text gets longer."
    jaccard = f"1 minus the Jaccard similarity of words to the most similar instruction; 0: the same words.{of}"
    novel = metrics.novelsum
    novelty = (
        f"Distances between {novel.on}, near ones weighing most; higher is more varied. 0: all equal." if novel else ""
    )
    lines = [
        ("distinct-1", metrics.distinct_1, 3, words),
        ("distinct-2", metrics.distinct_2, 3, "The same for pairs of words."),
        ("distinct-3", metrics.distinct_3, 3, "The same for three words in a row."),
        ("compression ratio", metrics.compression_ratio, 2, "Size over size after zlib; lower is more varied."),
        ("distance to the nearest, median", median, 3, jaccard),
        ("distance to the nearest, mean", mean, 3, "The mean of the same."),
        ("NovelSum", novel.value if novel else None, 3, novelty),
    ]
    return [(name, number(value, decimals), meaning) for name, value, decimals, meaning in lines if value is not None]


def sampled(metrics: Diversity) -> str:
    """The sample on which diversity was measured, as a sentence; empty if no row was kept."""
    if not metrics.sample:
        return ""
    if metrics.sample == metrics.kept:
        return f"Measured on all {count(metrics.kept)} kept instructions."
    return f"Measured on {count(metrics.sample)} of the {count(metrics.kept)} kept instructions."


def openings(metrics: Diversity) -> list[dict[str, str]]:
    """The most frequent first two words, with their share and the length of its bar relative to the longest."""
    most = max(metrics.openings.values(), default=1)
    return [
        {"opening": opening or "(none)", "share": percent(share), "part": f"{share / most:.3f}"}
        for opening, share in metrics.openings.items()
    ]


def leaks(split: SplitMetrics) -> int:
    """The number of rows that the checks found equal or near to a row of another side, summed over the sides."""
    return sum(check.exact_overlap + check.near_overlap for _, _, check in split.checks)


def split_summary(split: SplitMetrics) -> list[str]:
    """The sides of the split and the result of its checks, as sentences."""
    tuning = f" {rows_of(split.tuning)} to choose by," if split.tuning else ""
    lines = [f"{rows_of(split.train).capitalize()} for training,{tuning} {rows_of(split.validation)} held out."]
    if clusters := split.clusters:
        lines.append(
            f"{count(split.clustered_rows)} of them are in {count(clusters)} cluster{'s' if clusters > 1 else ''} of "
            f"near instructions, the largest of {rows_of(split.largest_cluster)}; each is on one side as a whole."
        )
    if split.left_out:
        sides, other = ("all", "another") if split.tuning else ("both", "the other")
        left_out = rows_of(split.left_out).capitalize()
        lines.append(f"{left_out} left out of {sides} sides: near to rows on {other} side.")
    if split.former_rows:
        lines.append(f"On the same side as in the former split: {rows_of(split.former_rows)}.")
    return [*lines, _checked(split)]


def _checked(split: SplitMetrics) -> str:
    check = split.check
    warning = "The split leaks. " if leaks(split) else ""
    phrases = f"{count(check.template_ngrams)} phrase{'s' if check.template_ngrams > 1 else ''}"
    templates = f" Task descriptions weigh nothing: {phrases} that very many instructions share."
    found = "; ".join(
        f"the instruction of {_rows(overlap.exact_overlap, side)} equals a {PURPOSES[other]} instruction, and that of "
        f"{_rows(overlap.near_overlap, side)} is near to one"
        for side, other, overlap in split.checks
    )
    compared = sum(overlap.pairs_compared for _, _, overlap in split.checks)
    return (
        f"{warning}The written files were read back and checked by other code than made them: {found} (Jaccard "
        f"similarity of word {check.ngram}-grams of {check.similarity:g} or more; {count(compared)} pairs shared "
        f"enough to be compared).{templates if check.template_ngrams else ''}"
    )


def _rows(number: int, side: int) -> str:
    kind = "held-out" if side == VALIDATION else PURPOSES[side]
    return f"{count(number)} {kind} row{'s' if number > 1 else ''}" if number else f"no {kind} row"
