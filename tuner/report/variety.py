"""How unlike each other the kept instructions are, and what proves that the split does not leak, in lines to read."""

from collections.abc import Mapping
from typing import Any

from tuner.report.wording import count, finite, number, percent, rows_of


def diversity(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What was measured, as (name, number, what it means); what there was too little to measure is left out.

    Args:
        metrics: Of the stage `curate`.
    """
    found = metrics.get("diversity") or {}
    nearest = found.get("nearest_neighbour") or {}
    of = f" Of {count(nearest['of'])} instructions." if nearest else ""
    lines = [
        *(
            (f"distinct-{size}", _decimal(found.get(f"distinct_{size}")), meaning)
            for size, meaning in (
                (1, "Different words over all words; higher is more varied. Falls as more text is looked at."),
                (2, "The same of pairs of words."),
                (3, "The same of three words in a row."),
            )
        ),
        (
            "compression ratio",
            _decimal(found.get("compression_ratio"), 2),
            "Bytes over bytes after zlib; lower is more varied.",
        ),
        (
            "distance to the nearest, median",
            _decimal(nearest.get("median")),
            f"1 minus the Jaccard similarity of words to the instruction most alike; 0: the same words.{of}",
        ),
        ("distance to the nearest, mean", _decimal(nearest.get("mean")), "The mean of the same."),
    ]
    return [line for line in lines if line[1]]


def sampled(metrics: Mapping[str, Any]) -> str:
    """What the diversity was measured on, as a sentence; empty if it was not measured."""
    found = metrics.get("diversity") or {}
    if not found.get("sample"):
        return ""
    if found["sample"] == found["kept"]:
        return f"Measured on all {count(found['kept'])} kept instructions."
    return f"Measured on {count(found['sample'])} of the {count(found['kept'])} kept instructions."


def openings(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """The most frequent first two words, each with its share and how long a bar stands for it, the longest being 1."""
    shares = (metrics.get("diversity") or {}).get("openings") or {}
    most = max(shares.values(), default=1)
    return [
        {"opening": opening or "(none)", "share": percent(share), "part": f"{share / most:.3f}"}
        for opening, share in shares.items()
    ]


def leaks(split: Mapping[str, Any]) -> int | None:
    """Held-out rows that the check found in training, equal or near; None where nothing was checked."""
    check = split.get("check")
    return None if check is None else check["exact_overlap"] + check["near_overlap"]


def divided(split: Mapping[str, Any]) -> list[str]:
    """How the rows were divided and what the check of that found, as sentences.

    Args:
        split: Metrics of the stage `split`.
    """
    lines = [f"{rows_of(split['train']).capitalize()} to train on, {rows_of(split['validation'])} held out."]
    if clusters := split.get("clusters"):
        rows, largest = split["clustered_rows"], split["largest_cluster"]
        lines.append(
            f"{count(rows)} of them are in {count(clusters)} cluster{'s' if clusters > 1 else ''} of near "
            f"instructions, the largest of {rows_of(largest)}; each stands on one side as a whole."
        )
    if left_out := split.get("left_out"):
        lines.append(f"{rows_of(left_out).capitalize()} left out of both sides: near to rows of the other side.")
    if former := split.get("former_rows"):
        lines.append(f"On the side that the former split gave them: {rows_of(former)}.")
    return [*lines, _checked(split)]


def _checked(split: Mapping[str, Any]) -> str:
    check = split.get("check")
    if check is None:
        return "Whether the sides overlap was not checked."
    exact, near = check["exact_overlap"], check["near_overlap"]
    leaking = "The sides leak. " if exact or near else ""
    return (
        f"{leaking}What was written was read back and checked, independently of how it was divided: the instruction of "
        f"{_held(exact)} equals one to train on, and that of {_held(near)} is near to one (Jaccard similarity of word "
        f"{check['ngram']}-grams of {check['similarity']:g} or more; {count(check['pairs_compared'])} pairs shared "
        "enough to be compared)."
    )


def _held(rows: int) -> str:
    return "no held-out row" if not rows else f"{count(rows)} of them"


def _decimal(value: Any, decimals: int = 3) -> str:
    found = finite(value)
    return "" if found is None else number(found, decimals)
