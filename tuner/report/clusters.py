"""The largest clusters of duplicates: what was called the same, so that one sees whether it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.curation.metrics import Curated as Counted
from tuner.report.curated import Curated, Positions, Row
from tuner.report.why import DUPLICATES, relation
from tuner.report.wording import count, plain

SHOWN = 10
"""Clusters."""

LOSERS = 3
"""Rows shown of each, beside the one that won."""

CHARACTERS = 280


@dataclass(frozen=True)
class Cluster:
    """One cluster.

    Attributes:
        name: The row_id by which curation calls it.
        size: Rows in it.
        winner: The position of the row that beat the others.
        losers: Positions of some that it beat, the most similar first.
        kinds: Rows that lost, by the reason.
    """

    name: str
    size: int
    winner: int
    losers: tuple[int, ...]
    kinds: dict[str, int]


def largest(counted: Counted) -> list[str]:
    """The names of the clusters to show, the largest first."""
    return list(counted.clusters.largest)[:SHOWN]


def chosen(curated: Curated, counted: Counted) -> list[Cluster]:
    """Looks into the largest clusters.

    Args:
        curated: The rows; its `members` are those of `largest`.
        counted: What curation counted.

    Returns:
        The clusters whose rows are there, the largest first.
    """
    noted = {reason: curated.noted(reason) for reason in DUPLICATES}
    names = [name for name in largest(counted) if name in curated.members]
    return [_cluster(name, curated, noted) for name in names]


def described(clusters: list[Cluster], rows: Mapping[int, Row]) -> list[dict[str, Any]]:
    """The clusters as the page lays them out.

    Args:
        clusters: As `chosen` made them.
        rows: Their winners and losers, by position.
    """
    return [_described(cluster, rows) for cluster in clusters]


def summary(counted: Counted) -> str:
    """How many clusters there are and of what sizes, in a sentence or two; and what the search left undone."""
    found = counted.clusters
    if not found.number:
        said = "No two rows were called the same."
    else:
        sizes = {int(size): clusters for size, clusters in found.sizes.items()}
        groups = (
            ("pairs", sum(n for size, n in sizes.items() if size == 2)),
            ("of 3 to 10 rows", sum(n for size, n in sizes.items() if 3 <= size <= 10)),
            ("larger", sum(n for size, n in sizes.items() if size > 10)),
        )
        several = found.number > 1
        said = f"{count(found.rows)} rows hang together in {count(found.number)} cluster{'s' if several else ''}"
        if several:
            said += f": {', '.join(f'{count(n)} {what}' for what, n in groups if n)}; the largest has {max(sizes):,}"
        said += "."
    if unfinished := counted.unfinished_buckets:
        said += (
            f" In {count(unfinished)} bucket{'s' if unfinished > 1 else ''} of the search not every pair was compared, "
            "so duplicates may be left."
        )
    return said


def _cluster(name: str, curated: Curated, noted: Mapping[str, Positions]) -> Cluster:
    members = curated.members[name]
    lost = {reason: np.intersect1d(members, rows, assume_unique=True) for reason, rows in noted.items()}
    alike = np.union1d(lost["near_duplicate"], lost["semantic_duplicate"])
    # Exact copies say nothing that the winner does not; one stands for all where there is nothing else to show.
    losers = alike if alike.size else lost["duplicate"][:1]
    similarity = curated.scores.get("similarity", np.full(len(curated), np.nan))[losers]
    order = np.argsort(-np.nan_to_num(similarity), kind="stable")
    # From the most similar to the least: the least is the one to doubt.
    places = np.unique(np.linspace(0, losers.size - 1, min(LOSERS, losers.size)).round().astype(np.int64))
    return Cluster(
        name=name,
        size=members.size,
        winner=_winner(members, curated),
        losers=tuple(losers[order[places]].tolist()),
        kinds={reason: rows.size for reason, rows in lost.items() if rows.size},
    )


def _winner(members: Positions, curated: Curated) -> int:
    unbeaten = members[~curated.beaten[members]]
    if not unbeaten.size:
        return int(members[0])
    quality = curated.scores.get("quality")
    # Where several stay, the best one beat the rest.
    return int(unbeaten[0] if quality is None else unbeaten[np.argmax(np.nan_to_num(quality[unbeaten], nan=-1))])


def _described(cluster: Cluster, rows: Mapping[int, Row]) -> dict[str, Any]:
    winner = rows[cluster.winner]
    return {
        "size": count(cluster.size),
        "kinds": [_losers(reason, lost) for reason, lost in cluster.kinds.items()],
        "winner": _text(winner) | {"kept": winner["verdict"] == "kept"},
        "losers": [
            _text(rows[position]) | {"relation": _relation(rows[position], winner["row_id"])}
            for position in cluster.losers
        ],
    }


def _losers(reason: str, lost: int) -> str:
    """How many lost as what, such as `2 near duplicates`."""
    return f"{count(lost)} {'exact duplicate' if reason == 'duplicate' else plain(reason)}{'s' if lost > 1 else ''}"


def _relation(row: Row, winner: str) -> str:
    """What a row is to the one that beat it, which is named where it is not the winner of the cluster."""
    beaten_by = row.get("duplicate_of")
    return relation(row) if beaten_by in (None, winner) else f"{relation(row)} of row {beaten_by}"


def _text(row: Row) -> dict[str, str]:
    return {"id": row["row_id"], "instruction": _begin(row["instruction"]), "response": _begin(row["response"])}


def _begin(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS].rstrip()} […]"
