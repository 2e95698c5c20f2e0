"""The largest clusters of duplicates, with examples by which a reader can judge them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.curation.metrics import Curated as Counted
from tuner.report.curated import Curated, Positions, Row
from tuner.report.why import DUPLICATES, relation
from tuner.report.wording import count, plain

MAX_CLUSTERS = 10

MAX_LOSERS = 3
"""Rows to show of a cluster besides its winner."""

MAX_CHARACTERS = 280
"""Characters to show of a text."""


@dataclass(frozen=True)
class Cluster:
    """A cluster of duplicates.

    Attributes:
        name: Its name in curation: a row_id.
        size: Number of its rows.
        winner: The position of the row that was preferred over the others.
        losers: Positions of some of the others, the most similar first.
        kinds: Number of the others, by reason.
    """

    name: str
    size: int
    winner: int
    losers: tuple[int, ...]
    kinds: dict[str, int]


def largest(counted: Counted) -> list[str]:
    """The names of the clusters to show, the largest first."""
    return list(counted.clusters.largest)[:MAX_CLUSTERS]


def select(curated: Curated, counted: Counted) -> list[Cluster]:
    """Selects the largest clusters and the rows to show of them.

    Args:
        curated: The rows, read with the `members` of the clusters `largest`.
        counted: The metrics of curation.

    Returns:
        The clusters of which rows were read, the largest first.
    """
    by_reason = {reason: curated.with_reason(reason) for reason in DUPLICATES}
    names = [name for name in largest(counted) if name in curated.members]
    return [_cluster(name, curated, by_reason) for name in names]


def as_data(clusters: list[Cluster], rows: Mapping[int, Row]) -> list[dict[str, Any]]:
    """The clusters as data for the page's template.

    Args:
        clusters: The clusters.
        rows: Their winners and losers, by position.
    """
    return [_as_data(cluster, rows) for cluster in clusters]


def summary(counted: Counted) -> str:
    """The number and sizes of the clusters, and whether the search was incomplete, in sentences."""
    clusters = counted.clusters
    if not clusters.number:
        text = "No duplicates were found."
    else:
        sizes = {int(size): number for size, number in clusters.sizes.items()}
        groups = (
            ("pairs", sum(n for size, n in sizes.items() if size == 2)),
            ("of 3 to 10 rows", sum(n for size, n in sizes.items() if 3 <= size <= 10)),
            ("larger", sum(n for size, n in sizes.items() if size > 10)),
        )
        several = clusters.number > 1
        text = f"{count(clusters.rows)} rows form {count(clusters.number)} cluster{'s' if several else ''}"
        if several:
            text += f": {', '.join(f'{count(n)} {size}' for size, n in groups if n)}; the largest has {max(sizes):,}"
        text += "."
    if unfinished := counted.unfinished_buckets:
        text += (
            f" In {count(unfinished)} bucket{'s' if unfinished > 1 else ''} of the search not all pairs were compared, "
            "so some duplicates may remain."
        )
    return text


def _cluster(name: str, curated: Curated, by_reason: Mapping[str, Positions]) -> Cluster:
    members = curated.members[name]
    losers_by_reason = {reason: np.intersect1d(members, rows, assume_unique=True) for reason, rows in by_reason.items()}
    similar = np.union1d(losers_by_reason["near_duplicate"], losers_by_reason["semantic_duplicate"])
    # Exact copies equal the winner; one is shown only if there is nothing else to show.
    losers = similar if similar.size else losers_by_reason["duplicate"][:1]
    similarity = curated.scores.get("similarity", np.full(len(curated), np.nan))[losers]
    order = np.argsort(-np.nan_to_num(similarity), kind="stable")
    # Including the least similar row, which is the most doubtful.
    places = np.unique(np.linspace(0, losers.size - 1, min(MAX_LOSERS, losers.size)).round().astype(np.int64))
    return Cluster(
        name=name,
        size=members.size,
        winner=_winner(members, curated),
        losers=tuple(losers[order[places]].tolist()),
        kinds={reason: rows.size for reason, rows in losers_by_reason.items() if rows.size},
    )


def _winner(members: Positions, curated: Curated) -> int:
    unbeaten = members[~curated.beaten[members]]
    if not unbeaten.size:
        return int(members[0])
    quality = curated.scores.get("quality")
    # Where several rows are kept, the best one is the winner.
    return int(unbeaten[0] if quality is None else unbeaten[np.argmax(np.nan_to_num(quality[unbeaten], nan=-1))])


def _as_data(cluster: Cluster, rows: Mapping[int, Row]) -> dict[str, Any]:
    winner = rows[cluster.winner]
    return {
        "size": count(cluster.size),
        "kinds": [_kind(reason, number) for reason, number in cluster.kinds.items()],
        "winner": _text(winner) | {"kept": winner["verdict"] == "kept"},
        "losers": [
            _text(rows[position]) | {"relation": _relation(rows[position], winner["row_id"])}
            for position in cluster.losers
        ],
    }


def _kind(reason: str, number: int) -> str:
    """A number of duplicates of a kind, such as `2 near duplicates`."""
    return f"{count(number)} {'exact duplicate' if reason == 'duplicate' else plain(reason)}{'s' if number > 1 else ''}"


def _relation(row: Row, winner: str) -> str:
    """How a row relates to the row it is a duplicate of, which is named if it is not the winner of the cluster."""
    duplicate_of = row.get("duplicate_of")
    return relation(row) if duplicate_of in (None, winner) else f"{relation(row)} of row {duplicate_of}"


def _text(row: Row) -> dict[str, str]:
    return {"id": row["row_id"], "instruction": beginning(row["instruction"]), "response": beginning(row["response"])}


def beginning(text: str | None) -> str:
    """The beginning of a text."""
    text = text or ""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS].rstrip()} […]"
