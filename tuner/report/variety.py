"""How unlike each other the kept instructions are, and what proves that the split does not leak, in lines to read."""

from tuner.curation.metrics import Diversity
from tuner.report.wording import count, number, percent, rows_of
from tuner.splitting.metrics import Divided, Overlap


def diversity(found: Diversity) -> list[tuple[str, str, str]]:
    """What was measured, as (name, number, what it means); what there was too little to measure is left out."""
    nearest = found.nearest_neighbour
    median, mean = (nearest.median, nearest.mean) if nearest else (None, None)
    of = f" Of {count(nearest.of)} instructions." if nearest else ""
    words = "Different words over all words; higher is more varied. Falls as more text is looked at."
    jaccard = f"1 minus the Jaccard similarity of words to the instruction most alike; 0: the same words.{of}"
    lines = [
        ("distinct-1", found.distinct_1, 3, words),
        ("distinct-2", found.distinct_2, 3, "The same of pairs of words."),
        ("distinct-3", found.distinct_3, 3, "The same of three words in a row."),
        ("compression ratio", found.compression_ratio, 2, "Bytes over bytes after zlib; lower is more varied."),
        ("distance to the nearest, median", median, 3, jaccard),
        ("distance to the nearest, mean", mean, 3, "The mean of the same."),
    ]
    return [(name, number(value, decimals), says) for name, value, decimals, says in lines if value is not None]


def sampled(found: Diversity) -> str:
    """What the diversity was measured on, as a sentence; empty if no row was kept."""
    if not found.sample:
        return ""
    if found.sample == found.kept:
        return f"Measured on all {count(found.kept)} kept instructions."
    return f"Measured on {count(found.sample)} of the {count(found.kept)} kept instructions."


def openings(found: Diversity) -> list[dict[str, str]]:
    """The most frequent first two words, each with its share and how long a bar stands for it, the longest being 1."""
    most = max(found.openings.values(), default=1)
    return [
        {"opening": opening or "(none)", "share": percent(share), "part": f"{share / most:.3f}"}
        for opening, share in found.openings.items()
    ]


def leaks(split: Divided) -> int:
    """Held-out rows that the check found in training, equal or near."""
    return split.check.exact_overlap + split.check.near_overlap


def divided(split: Divided) -> list[str]:
    """How the rows were divided and what the check of that found, as sentences."""
    lines = [f"{rows_of(split.train).capitalize()} to train on, {rows_of(split.validation)} held out."]
    if clusters := split.clusters:
        lines.append(
            f"{count(split.clustered_rows)} of them are in {count(clusters)} cluster{'s' if clusters > 1 else ''} of "
            f"near instructions, the largest of {rows_of(split.largest_cluster)}; each stands on one side as a whole."
        )
    if split.left_out:
        lines.append(f"{rows_of(split.left_out).capitalize()} left out of both sides: near to rows of the other side.")
    if split.former_rows:
        lines.append(f"On the side that the former split gave them: {rows_of(split.former_rows)}.")
    return [*lines, _checked(split.check)]


def _checked(check: Overlap) -> str:
    exact, near = check.exact_overlap, check.near_overlap
    leaking = "The sides leak. " if exact or near else ""
    return (
        f"{leaking}What was written was read back and checked, independently of how it was divided: the instruction of "
        f"{_held(exact)} equals one to train on, and that of {_held(near)} is near to one (Jaccard similarity of word "
        f"{check.ngram}-grams of {check.similarity:g} or more; {count(check.pairs_compared)} pairs shared "
        "enough to be compared)."
    )


def _held(rows: int) -> str:
    return "no held-out row" if not rows else f"{count(rows)} of them"
