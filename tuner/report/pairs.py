"""The chapter on preference pairs: what they are worth, and some of them to read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuner.artifacts import parquet
from tuner.artifacts.manifest import Manifest
from tuner.preference.metrics import FEWEST_PARAMETERS, GOOD_AGREEMENT, Comparisons, Paired
from tuner.preference.pair import origin
from tuner.preference.pairing import REASONS
from tuner.preference.settings import Preference
from tuner.report.browser import cut
from tuner.report.wording import count, number, percent, plain

MOST_PAIRS = 200
"""Pairs on the page, spread evenly over all sides."""

UNEVEN = 0.1
"""How far from a half the share of pairs whose longer answer is chosen may be before the page warns of it."""


@dataclass(frozen=True)
class Pairs:
    """What the page shows of preference pairs.

    Attributes:
        metrics: Of the artifact.
        settings: The recipe's section.
        shown: Some of the pairs, as data for the page's script.
    """

    metrics: Paired
    settings: Preference
    shown: tuple[dict[str, Any], ...]


def read(manifest: Manifest, files: Mapping[str, Path], settings: Preference) -> Pairs:
    """Reads the pairs of a report.

    Args:
        manifest: The artifact.
        files: Its pairs by side.
        settings: The recipe's section.
    """
    rows = [parquet.rows_of(path) for path in files.values()]
    places = _spread(sum(rows))
    shown: list[dict[str, Any]] = []
    begin = 0
    for (side, path), held in zip(files.items(), rows, strict=True):
        wanted = places[(places >= begin) & (places < begin + held)] - begin
        shown += [_pair(row, side) for row in parquet.read(path).take(wanted).to_pylist()]
        begin += held
    return Pairs(Paired.read(manifest), settings, tuple(shown))


def sentences(pairs: Pairs) -> list[str]:
    """How many pairs there are, which instructions have none, the margins and the lengths."""
    metrics, total = pairs.metrics, sum(pairs.metrics.pairs.values())
    sides = ", ".join(f"{count(held)} {side}" for side, held in metrics.pairs.items())
    lines = [
        f"{count(total)} of {count(metrics.instructions)} instructions have a pair ({sides}); each is on the side of "
        "its instruction."
    ]
    lines.append(f"{_made(pairs.settings)}.")
    if metrics.left_out:
        without = "; ".join(f"{count(rows)} {plain(reason)}" for reason, rows in metrics.left_out.items())
        lines.append(f"Without a pair: {without}.")
    margins = metrics.margins
    deviation = "" if margins.deviation is None else f", standard deviation {number(margins.deviation)}"
    lines.append(
        f"Margins, in the unit of the scorer: mean {number(margins.mean)}{deviation}, from {number(margins.lowest)} to "
        f"{number(margins.highest)}, median {number(margins.median)}."
    )
    lines.append(
        f"The chosen answer is the longer one in {percent(metrics.chosen_longer)} of the pairs; on average "
        f"{count(metrics.chosen_characters)} characters against {count(metrics.rejected_characters)}."
    )
    return lines


def warnings(pairs: Pairs) -> list[str]:
    """Why these pairs may teach little, or something else than is wanted."""
    metrics, lines = pairs.metrics, list[str]()
    if metrics.comparisons is not None and metrics.comparisons.is_weak:
        lines.append(_weak(metrics.comparisons, str(pairs.settings.scorer.judge)))
    # Twice the standard deviation of a share of so many coins.
    chance = 1 / math.sqrt(sum(metrics.pairs.values()))
    if abs(metrics.chosen_longer - 0.5) > max(UNEVEN, chance):
        which = "longer" if metrics.chosen_longer > 0.5 else "shorter"
        lines.append(f"The scorer prefers the {which} answer, and a model that is trained on these pairs learns that.")
    return lines


def meanings(pairs: Pairs) -> dict[str, str]:
    """What the reasons mean for which instructions have no pair."""
    return {plain(reason): words for reason, words in REASONS.items() if reason in pairs.metrics.left_out}


def judged(pairs: Pairs) -> str:
    """What the judge's verdicts are worth; empty if there was none."""
    found = pairs.metrics.comparisons
    if found is None:
        return ""
    unread = f" {count(found.unread)} more were too long for it." if found.unread else ""
    return (
        f"The judge compared {count(found.compared)} times two answers, each time in both orders. It repeated its "
        f"verdict in {percent(found.agreement)}; tossed coins would in 50 %. It preferred the answer shown first in "
        f"{percent(found.first_share)} of its answers. A verdict that changes with the order is a tie.{unread}"
    )


def _made(settings: Preference) -> str:
    scorer, number = settings.scorer, settings.candidates.number
    by = {
        "reward": f"the reward model {scorer.reward}",
        "judge": f"the judge {scorer.judge}",
        "rules": f"the rules {', '.join(scorer.rules)}",
    }[scorer.kind]
    against = {
        "near": "the one whose score is nearest to the mean minus two standard deviations",
        "min": "the one of the lowest score",
    }[settings.rejected]
    return f"Chosen is the best of {count(number)} answers by {by}; rejected is {against}"


def _weak(found: Comparisons, judge: str) -> str:
    reasons = []
    if found.agreement is None or found.agreement < GOOD_AGREEMENT:
        reasons.append(f"repeats fewer than {percent(GOOD_AGREEMENT)} of its verdicts, which is what GPT-4 repeats")
    if found.parameters < FEWEST_PARAMETERS:
        reasons.append(f"has {found.parameters / 1e6:,.0f} million parameters")
    return f"The judge {judge} is weak: it {' and '.join(reasons)}. Read some pairs before you train on them."


def _spread(total: int) -> np.ndarray:
    shown = min(total, MOST_PAIRS)
    return np.arange(shown) * total // max(1, shown)


def _pair(row: Mapping[str, Any], side: str) -> dict[str, Any]:
    answers = {
        name: {
            "text": cut(row[name][0]["content"]),
            "score": round(row[f"score_{name}"], 4),
            "from": origin(row[f"{name}_from"]),
        }
        for name in ("chosen", "rejected")
    }
    return {"id": row["row_id"], "side": side, "asked": cut(_asked(row["prompt"])), "margin": row["margin"], **answers}


def _asked(prompt: Sequence[Mapping[str, str]]) -> str:
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)
