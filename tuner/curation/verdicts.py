"""Who stays: from what each row is alone, and which rows are near to each other, to a verdict on every row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from tuner.curation import diversity
from tuner.curation.checks.duplicates import Near
from tuner.curation.columns import bits
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64
from tuner.curation.duplicates import clusters, embedding, exact, shingles
from tuner.curation.settings import Curation
from tuner.curation.texts import CheckedTexts, Shard
from tuner.errors import InputError

Floats = NDArray[np.float64]
SEMANTIC = "semantic"


@dataclass
class Verdicts:
    """What is known of all rows, those of all shards one after another; filled step by step.

    Attributes:
        row_ids: Shape (rows,), strings.
        keys: Of the exact-duplicate form.
        whole: Which rows have both texts.
        quality: NaN where a row has no score.
        reasons: Bits of what rejects a row.
        marks: Bits of what is recorded only.
        ignored: Bits of the reasons that are never more than a mark.
        sizes: Rows of each shard.
        rounds: Which round of generation drew a row; what one round's rows are given, no later round takes away.
        cluster: The smallest position in a row's cluster of duplicates of whatever kind, its own if it is alone.
        beaten_by: The position of the row that beat it as a duplicate, -1 if none did.
        similarity: To that row: 1 for exact duplicates, else Jaccard or cosine; NaN if none beat it.
    """

    row_ids: pl.Series
    keys: NDArray[np.uint64]
    whole: NDArray[np.bool_]
    quality: Floats
    reasons: bits.Bits
    marks: bits.Bits
    ignored: np.uint64
    sizes: list[int]
    rounds: I64
    cluster: I64
    beaten_by: I64
    similarity: Floats

    @property
    def passes(self) -> NDArray[np.bool_]:
        """Which rows nothing rejects so far."""
        return self.reasons == 0

    def reject(self, rows: NDArray[np.bool_] | I64, reason: str) -> None:
        """Gives rows a reason, as a mark if the recipe ignores it."""
        bit = bits.mask([reason])
        (self.marks if bit & self.ignored else self.reasons)[rows] |= bit

    def beat(self, beaten_by: I64, reason: str, similarity: Floats) -> None:
        """Rejects the rows that another one beat; shapes (rows,), -1 and NaN for the others."""
        losers = np.flatnonzero(beaten_by >= 0)
        self.reject(losers, reason)
        self.beaten_by[losers] = beaten_by[losers]
        self.similarity[losers] = similarity[losers]


def read(shards: Sequence[Shard], curation: Curation) -> Verdicts:
    """What `examine` found of all rows."""
    found = [parquet.read_table(shard.checks, columns=["row_id", "reasons", "marks"]) for shard in shards]
    signed = [parquet.read_table(shard.signatures, columns=["key", "whole", "quality"]) for shard in shards]
    checks, signatures = pa.concat_tables(found), pa.concat_tables(signed)
    rows = checks.num_rows
    return Verdicts(
        row_ids=pl.Series("row_id", checks["row_id"]),
        keys=signatures["key"].to_numpy().astype(np.uint64),
        whole=signatures["whole"].to_numpy().astype(np.bool_),
        quality=signatures["quality"].to_numpy().astype(np.float64),
        reasons=bits.of(checks["reasons"]),
        marks=bits.of(checks["marks"]),
        ignored=bits.mask(curation.ignore),
        sizes=[table.num_rows for table in found],
        rounds=np.repeat([shard.round for shard in shards], [table.num_rows for table in found]),
        cluster=np.arange(rows),
        beaten_by=np.full(rows, -1, np.int64),
        similarity=np.full(rows, np.nan),
    )


def decide(verdicts: Verdicts, edges: pa.Table, shards: Sequence[Shard], curation: Curation) -> None:
    """Chooses among duplicates, bounds every kind of instruction, and keeps the best if only so many are wanted.

    Args:
        verdicts: As `read` made them; filled.
        edges: Of all partitions, with the schema `matching.EDGES`.
        shards: For the texts behind a similarity.
        curation: How to choose.

    Raises:
        InputError: If rows are to be balanced by a category that they do not have.
    """
    equal = exact.beaten(
        verdicts.keys,
        verdicts.passes,
        verdicts.quality,
        verdicts.row_ids,
        comparable=verdicts.whole,
        rounds=verdicts.rounds,
    )
    verdicts.beat(equal, "duplicate", np.where(equal >= 0, 1.0, np.nan))
    stands_for = np.where(equal >= 0, equal, np.arange(equal.size))
    texts = CheckedTexts(shards)
    on = np.array(edges["on"].to_pylist(), dtype=object)
    ends = [stands_for[edges[name].to_numpy()] for name in ("a", "b")]
    near, semantic = curation.duplicates.near, curation.duplicates.semantic
    links = [(np.flatnonzero(equal >= 0), equal[equal >= 0])]
    if near is not None:
        links.append(
            _compete(verdicts, ends, on != SEMANTIC, "near_duplicate", curation.duplicates.keep, (texts, near))
        )
    if semantic is not None:
        paths = [shard.signatures for shard in shards]
        links.append(_compete(verdicts, ends, on == SEMANTIC, "semantic_duplicate", curation.duplicates.keep, paths))
    a, b = (np.concatenate([link[side] for link in links]) for side in (0, 1))
    verdicts.cluster = clusters.components(equal.size, a, b)
    if curation.balance is not None:
        _bound(verdicts, shards, curation)
    _keep_best(verdicts, curation)


def _compete(
    verdicts: Verdicts,
    ends: list[I64],
    chosen: NDArray[np.bool_],
    reason: str,
    keep: int,
    compared: tuple[CheckedTexts, Near] | list[Path],
) -> tuple[I64, I64]:
    """Lets the best of every cluster win; returns the links that made the clusters."""
    passes = verdicts.passes
    a, b = ends[0][chosen], ends[1][chosen]
    both = passes[a] & passes[b]
    a, b = a[both], b[both]
    beaten_by = clusters.settle(a, b, verdicts.rounds, verdicts.quality, verdicts.keys, verdicts.row_ids, keep)
    losers = np.flatnonzero(beaten_by >= 0)
    similarity = np.full(passes.size, np.nan)
    if isinstance(compared, tuple):
        texts, near = compared
        similarity[losers] = shingles.similarity(losers, beaten_by[losers], verdicts.sizes, texts, near)
    else:
        similarity[losers] = embedding.cosines(compared, losers, beaten_by[losers])
    verdicts.beat(beaten_by, reason, similarity)
    return a, b


def _bound(verdicts: Verdicts, shards: Sequence[Shard], curation: Curation) -> None:
    """Rejects what goes beyond the bound on its kind."""
    balance = curation.balance
    if balance is None:
        return
    kinds = pl.concat([_kinds(shard, balance.by) for shard in shards])
    rows = _best_first(verdicts)
    place = pl.DataFrame({"kind": kinds.gather(rows)}).select(pl.int_range(pl.len()).over("kind")).to_series()
    verdicts.reject(rows[place.to_numpy() >= balance.at_most], "over_balance")


def _kinds(shard: Shard, by: str) -> pl.Series:
    if by == "category":
        if "category" not in parquet.read_schema(shard.rows).names:
            raise InputError("curation.balance.by: the rows have no column `category`; balance by `opening`")
        return pl.read_parquet(shard.rows, columns=["category"], glob=False)["category"].cast(pl.String).fill_null("")
    positions = np.arange(parquet.read_metadata(shard.rows).num_rows)
    texts = CheckedTexts([shard])(0, positions)
    return diversity.openings(normalised(texts["instruction"])).alias("category")


def _keep_best(verdicts: Verdicts, curation: Curation) -> None:
    """Limits each round by itself: were the limit one for all, a full one would let no later round add anything."""
    best = _best_first(verdicts)
    target, top_k = curation.quality.target, curation.quality.top_k
    for number in range(int(verdicts.rounds.max(initial=0)) + 1):
        rows = best[verdicts.rounds[best] == number]
        # In integers, so that 1.2 has no rounding.
        if target is not None and 5 * rows.size > 6 * target:
            verdicts.reject(rows[target:], "below_target")
        if top_k is not None:
            verdicts.reject(rows[top_k:], "below_target")


def _best_first(verdicts: Verdicts) -> I64:
    """Positions of the rows that pass, round after round: the better score first, then the smaller key and row_id."""
    rows = np.flatnonzero(verdicts.passes)
    ranked = pl.DataFrame(
        {
            "position": rows,
            "round": verdicts.rounds[rows],
            "quality": np.nan_to_num(verdicts.quality[rows], nan=-np.inf),
            "key": verdicts.keys[rows],
            "row_id": verdicts.row_ids.gather(rows),
        }
    ).sort("round", "quality", "key", "row_id", descending=[False, True, False, False])
    return ranked["position"].to_numpy()
