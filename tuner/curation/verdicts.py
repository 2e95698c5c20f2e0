"""The verdict on every row, from the checks of single rows and the pairs of near rows."""

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
from tuner.curation.checks.judging import Judging
from tuner.curation.columns import bits
from tuner.curation.columns.text import normalised
from tuner.curation.columns.words import I64
from tuner.curation.duplicates import clusters, embedding, exact, shingles
from tuner.curation.judging.tags import REWARD, column, score_column
from tuner.curation.settings import Curation
from tuner.curation.texts import CheckedTexts, Shard, judged_columns
from tuner.errors import InputError

Floats = NDArray[np.float64]
SEMANTIC = "semantic"


@dataclass
class Verdicts:
    """The state of all rows, in the order of the shards; filled step by step.

    Attributes:
        row_ids: Shape (rows,), strings.
        keys: As made by `exact.keys`.
        whole: Which rows have both texts.
        quality: What the best rows have most of, NaN where a row has none.
        reasons: Bits of the reasons that reject a row.
        marks: Bits of the reasons that are only recorded.
        ignored: Bits of the reasons that the recipe ignores, which are only recorded.
        sizes: Rows of each shard.
        rounds: Round of generation of each row; a later round does not change the verdicts of earlier ones.
        cluster: The smallest position in a row's cluster of duplicates, its own if it is alone.
        duplicate_of: The position of the representative of a dropped duplicate, -1 for other rows.
        similarity: To the representative: 1 for exact duplicates, else Jaccard or cosine; NaN for other rows.
        judged: The columns that models added, shape (rows, columns); no columns if no model judges.
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
    duplicate_of: I64
    similarity: Floats
    judged: pl.DataFrame

    @property
    def passes(self) -> NDArray[np.bool_]:
        """Which rows have no reason so far."""
        return self.reasons == 0

    def reject(self, rows: NDArray[np.bool_] | I64, reason: str) -> None:
        """Adds a reason to rows, as a mark if the recipe ignores it."""
        bit = bits.mask([reason])
        (self.marks if bit & self.ignored else self.reasons)[rows] |= bit

    def drop_duplicates(self, duplicate_of: I64, reason: str, similarity: Floats) -> None:
        """Rejects the rows that have a representative; shapes (rows,), -1 and NaN for other rows."""
        dropped = np.flatnonzero(duplicate_of >= 0)
        self.reject(dropped, reason)
        self.duplicate_of[dropped] = duplicate_of[dropped]
        self.similarity[dropped] = similarity[dropped]


def read(shards: Sequence[Shard], curation: Curation) -> Verdicts:
    """Reads the results of `examine` for all rows."""
    checked = [parquet.read_table(shard.checks, columns=["row_id", "reasons", "marks"]) for shard in shards]
    signed = [parquet.read_table(shard.signatures, columns=["key", "whole", "quality"]) for shard in shards]
    checks, signatures = pa.concat_tables(checked), pa.concat_tables(signed)
    rows, judged = checks.num_rows, pl.concat([pl.DataFrame(judged_columns(shard)) for shard in shards])
    by = curation.quality.by
    quality = signatures["quality"].to_numpy().astype(np.float64)
    if by != "score":
        quality = judged[REWARD if by == "reward" else score_column(by)].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return Verdicts(
        row_ids=pl.Series("row_id", checks["row_id"]),
        keys=signatures["key"].to_numpy().astype(np.uint64),
        whole=signatures["whole"].to_numpy().astype(np.bool_),
        quality=quality,
        reasons=bits.of(checks["reasons"]),
        marks=bits.of(checks["marks"]),
        ignored=bits.mask(curation.ignore),
        sizes=[table.num_rows for table in checked],
        rounds=np.repeat([shard.round for shard in shards], [table.num_rows for table in checked]),
        cluster=np.arange(rows),
        duplicate_of=np.full(rows, -1, np.int64),
        similarity=np.full(rows, np.nan),
        judged=judged,
    )


def decide(verdicts: Verdicts, edges: pa.Table, shards: Sequence[Shard], curation: Curation) -> None:
    """Rejects duplicates, then what models judge badly, then rows beyond the limit of their kind or the number wanted.

    Args:
        verdicts: As made by `read`; changed in place.
        edges: The edges of all partitions, with the schema `matching.EDGES`.
        shards: To read the texts of which a similarity is computed.
        curation: Which rows to keep.

    Raises:
        InputError: If rows are to be balanced by a category that they do not have.
    """
    unwanted = _unwanted(verdicts, curation.judging)
    # Such a row takes part in its cluster, whose other rows are linked by it, but represents it only if no other can.
    sunk = np.any([rows for reason, rows in unwanted.items() if reason not in curation.ignore] or [False], axis=0)
    verdicts.quality = np.where(sunk, -np.inf, verdicts.quality)
    exact_of = exact.representatives(
        verdicts.keys,
        verdicts.passes,
        verdicts.quality,
        verdicts.row_ids,
        comparable=verdicts.whole,
        rounds=verdicts.rounds,
    )
    verdicts.drop_duplicates(exact_of, "duplicate", np.where(exact_of >= 0, 1.0, np.nan))
    representative = np.where(exact_of >= 0, exact_of, np.arange(exact_of.size))
    texts = CheckedTexts(shards)
    on = np.array(edges["on"].to_pylist(), dtype=object)
    ends = [representative[edges[name].to_numpy()] for name in ("a", "b")]
    near, semantic = curation.duplicates.near, curation.duplicates.semantic
    links = [(np.flatnonzero(exact_of >= 0), exact_of[exact_of >= 0])]
    if near is not None:
        links.append(
            _drop_near(verdicts, ends, on != SEMANTIC, "near_duplicate", curation.duplicates.keep, (texts, near))
        )
    if semantic is not None:
        paths = [shard.signatures for shard in shards]
        links.append(_drop_near(verdicts, ends, on == SEMANTIC, "semantic_duplicate", curation.duplicates.keep, paths))
    a, b = (np.concatenate([link[side] for link in links]) for side in (0, 1))
    verdicts.cluster = clusters.components(exact_of.size, a, b)
    for reason, rows in unwanted.items():
        verdicts.reject(rows, reason)
    if curation.balance is not None:
        _limit_kinds(verdicts, shards, curation)
    _keep_best(verdicts, curation)


def _unwanted(verdicts: Verdicts, judging: Judging | None) -> dict[str, NDArray[np.bool_]]:
    """The rows that models judge badly, by reason; what no model judged is not among them."""
    if judging is None:
        return {}
    columns, nothing = verdicts.judged, pl.Series([False]).gather(np.zeros(len(verdicts.judged), np.int64))
    tagged = nothing
    for kind, labels in judging.reject.items():
        tagged = tagged | columns[column(kind)].is_in(labels).fill_null(False)
    low = nothing
    if judging.minimum_reward is not None:
        low = (columns[REWARD] < judging.minimum_reward).fill_null(False)
    return {"unwanted_tag": tagged.to_numpy(), "low_reward": low.to_numpy()}


def _drop_near(
    verdicts: Verdicts,
    ends: list[I64],
    chosen: NDArray[np.bool_],
    reason: str,
    keep: int,
    compared: tuple[CheckedTexts, Near] | list[Path],
) -> tuple[I64, I64]:
    """Rejects all but the best rows of each cluster; returns the links that made the clusters."""
    passes = verdicts.passes
    a, b = ends[0][chosen], ends[1][chosen]
    both = passes[a] & passes[b]
    a, b = a[both], b[both]
    duplicate_of = clusters.representatives_by_round(
        a, b, verdicts.rounds, verdicts.quality, verdicts.keys, verdicts.row_ids, keep
    )
    dropped = np.flatnonzero(duplicate_of >= 0)
    similarity = np.full(passes.size, np.nan)
    if isinstance(compared, tuple):
        texts, near = compared
        similarity[dropped] = shingles.similarity(dropped, duplicate_of[dropped], verdicts.sizes, texts, near)
    else:
        similarity[dropped] = embedding.cosines(compared, dropped, duplicate_of[dropped])
    verdicts.drop_duplicates(duplicate_of, reason, similarity)
    return a, b


def _limit_kinds(verdicts: Verdicts, shards: Sequence[Shard], curation: Curation) -> None:
    """Rejects rows beyond `balance.at_most` of their kind."""
    balance = curation.balance
    if balance is None:
        return
    kinds = _tagged(verdicts, shards, balance.by)
    rows = _best_first(verdicts)
    place = pl.DataFrame({"kind": kinds.gather(rows)}).select(pl.int_range(pl.len()).over("kind")).to_series()
    verdicts.reject(rows[place.to_numpy() >= balance.at_most], "over_balance")


def _tagged(verdicts: Verdicts, shards: Sequence[Shard], by: str) -> pl.Series:
    """The kind of each row: its own, or that of the judge where it has none."""
    if by in ("opening", "category"):
        is_tagged = column(by) in verdicts.judged.columns
        kinds = pl.concat([_kinds(shard, by, is_tagged) for shard in shards])
        if not is_tagged:
            return kinds
        empty = (kinds == "").to_numpy()
        return kinds.scatter(np.flatnonzero(empty), verdicts.judged[column(by)].fill_null("").filter(empty))
    return verdicts.judged[column(by)].fill_null("")


def _kinds(shard: Shard, by: str, is_tagged: bool) -> pl.Series:
    if by == "category":
        names = parquet.read_schema(shard.rows).names
        if "category" not in names and is_tagged:
            return pl.Series("category", [""]).gather(np.zeros(parquet.read_metadata(shard.rows).num_rows, np.int64))
        if "category" not in names:
            raise InputError("curation.balance.by: the rows have no column `category`; balance by `opening`")
        return pl.read_parquet(shard.rows, columns=["category"], glob=False)["category"].cast(pl.String).fill_null("")
    positions = np.arange(parquet.read_metadata(shard.rows).num_rows)
    texts = CheckedTexts([shard])(0, positions)
    return diversity.openings(normalised(texts["instruction"])).alias("category")


def _keep_best(verdicts: Verdicts, curation: Curation) -> None:
    """Limits each round separately: under a common limit, later rounds could add nothing once it is reached."""
    best = _best_first(verdicts)
    target, top_k = curation.quality.target, curation.quality.top_k
    for number in range(int(verdicts.rounds.max(initial=0)) + 1):
        rows = best[verdicts.rounds[best] == number]
        # 1.2 in integers, to avoid rounding.
        if target is not None and 5 * rows.size > 6 * target:
            verdicts.reject(rows[target:], "below_target")
        if top_k is not None:
            verdicts.reject(rows[top_k:], "below_target")


def _best_first(verdicts: Verdicts) -> I64:
    """Positions of the rows that pass, by round, then better score, smaller key and smaller row_id."""
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
