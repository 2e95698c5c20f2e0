"""The stage `curate`: gives every row a verdict, all reasons for it and its scores. Nothing is deleted."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation import diversity, verdicts
from tuner.curation.cleaning import cleaned_messages
from tuner.curation.columns import bits
from tuner.curation.duplicates.matching import EDGES
from tuner.curation.metrics import Clusters, Curated
from tuner.curation.settings import Curation
from tuner.curation.texts import INSTRUCTION, RESPONSE, Shard, as_checked
from tuner.curation.verdicts import Verdicts
from tuner.errors import StageError
from tuner.progress import Event, emit

THREADS = 2
"""Shards that are written at once: each takes the memory of its rows."""

LARGEST = 20
"""Clusters that the metrics name."""

_CHECKS_ONLY = {"row_id", "reasons", "marks", INSTRUCTION, RESPONSE}


def curate(
    shards: Sequence[Shard], edges: Sequence[Path], unfinished: int, curation: Curation, folder: Path
) -> Curated:
    """Judges the rows of all shards.

    Args:
        shards: The files of every shard, at least one.
        edges: `edges.parquet` of every partition of the search for duplicates.
        unfinished: Buckets that this search left unfinished.
        curation: What a row has to be to be kept.
        folder: Gets `rows/<shard>.parquet`, every row that came in, and `kept/<shard>.parquet`.

    Raises:
        StageError: If two rows have one row_id, or the counts do not add up.
    """
    found = verdicts.read(shards, curation)
    if found.row_ids.n_unique() != len(found.row_ids):
        raise StageError(
            f"curate: {len(found.row_ids):,} rows came in, but some share a row_id; is a shard given twice?"
        )
    table = pa.concat_tables([EDGES.empty_table(), *(parquet.read(path) for path in edges)])
    verdicts.decide(found, table, shards, curation)
    begins = np.concatenate([[0], np.cumsum(found.sizes)])
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [
            pool.submit(
                _write, shards[number], found, slice(begins[number], begins[number + 1]), curation, folder, number
            )
            for number in range(len(shards))
        ]
        for done, job in enumerate(jobs, 1):
            job.result()
            emit(Event("curate", done=done, total=len(jobs)))
    kept = int(np.count_nonzero(found.passes))
    return check(
        Curated(
            rows=len(found.row_ids),
            kept=kept,
            rejected=int(np.count_nonzero(~found.passes)),
            reasons=bits.counts(found.reasons),
            marks=bits.counts(found.marks),
            funnel=bits.firsts(found.reasons),
            clusters=_clusters(found),
            unfinished_buckets=unfinished,
            diversity=diversity.measure(_sample(found, folder), kept),
        )
    )


def check(found: Curated) -> Curated:
    """Hands metrics through if every row that came in is accounted for exactly once.

    Raises:
        StageError: If not.
    """
    fallen = sum(found.funnel.values())
    if found.kept + found.rejected != found.rows or fallen != found.rejected:
        raise StageError(
            f"curate: the counts do not add up: {found.rows:,} rows, {found.kept:,} kept, {found.rejected:,} rejected, "
            f"{fallen:,} in the funnel"
        )
    return found


def _write(shard: Shard, found: Verdicts, here: slice, curation: Curation, folder: Path, number: int) -> None:
    rows, checks = parquet.read(shard.rows), pl.read_parquet(shard.checks, glob=False)
    checked = as_checked(pl.DataFrame(rows.select(["instruction", "response"])), checks)
    rows = _with_texts(rows, checked, checks, curation)
    beaten_by = found.beaten_by[here]
    winners = pl.Series(beaten_by).replace(-1, None)
    columns: dict[str, Any] = {
        "verdict": pl.Series(np.where(found.passes[here], "kept", "rejected")),
        "reasons": bits.names(found.reasons[here]),
        "marks": bits.names(found.marks[here]),
        **{name: checks[name] for name in checks.columns if name not in _CHECKS_ONLY},
        "cluster": found.row_ids.gather(found.cluster[here]),
        "duplicate_of": found.row_ids.gather(winners),
        "similarity": pl.Series(found.similarity[here], nan_to_null=True),
    }
    for name, column in columns.items():
        array = column.to_arrow(compat_level=pl.CompatLevel.oldest()) if isinstance(column, pl.Series) else column
        rows = rows.append_column(name, array)
    parquet.write(rows, folder / "rows" / f"{number:05}.parquet")
    kept = rows.filter(pa.array(found.passes[here]))
    examples = kept.select(["row_id", "messages"])
    for name, column in zip(("prompt", "completion"), _divided(kept["messages"]), strict=True):
        examples = examples.append_column(name, column)
    for name in ("instruction", "quality"):
        examples = examples.append_column(name, kept[name])
    parquet.write(examples, folder / "kept" / f"{number:05}.parquet")


def _with_texts(rows: pa.Table, checked: pl.DataFrame, checks: pl.DataFrame, curation: Curation) -> pa.Table:
    """The rows with their texts and messages as they were checked."""
    changed = np.flatnonzero(checks.select(pl.any_horizontal(pl.col(INSTRUCTION, RESPONSE).is_not_null())).to_series())
    if not changed.size:
        return rows
    messages = rows["messages"].to_pylist()
    for row, instruction, response in zip(changed.tolist(), *checked[changed].get_columns(), strict=True):
        messages[row] = cleaned_messages(messages[row], instruction, response, curation)
    for name, column in (
        ("instruction", checked["instruction"].to_arrow(compat_level=pl.CompatLevel.oldest())),
        ("response", checked["response"].to_arrow(compat_level=pl.CompatLevel.oldest())),
        ("messages", pa.array(messages, rows.schema.field("messages").type)),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def _divided(messages: pa.ChunkedArray) -> tuple[pa.ListArray, pa.ListArray]:
    """Every conversation without its last message, and the last message alone."""
    lists = messages.combine_chunks()
    flat = lists.flatten()
    ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int32)
    last = np.zeros(len(flat), np.bool_)
    last[ends - 1] = True
    numbers = np.arange(len(lists) + 1, dtype=np.int32)
    before = np.concatenate([[0], ends]).astype(np.int32) - numbers
    prompts = pa.ListArray.from_arrays(pa.array(before), flat.filter(pa.array(~last)))
    return prompts, pa.ListArray.from_arrays(pa.array(numbers), flat.filter(pa.array(last)))


def _clusters(found: Verdicts) -> Clusters:
    sizes = np.bincount(found.cluster, minlength=1)
    together = sizes[sizes > 1]
    order = np.argsort(-sizes, kind="stable")[: min(LARGEST, together.size)]
    counts = np.bincount(together) if together.size else np.zeros(0, np.int64)
    return Clusters(
        number=int(together.size),
        rows=int(together.sum()),
        largest={found.row_ids[int(at)]: int(sizes[at]) for at in order},
        sizes={str(size): int(counts[size]) for size in np.flatnonzero(counts)},
    )


def _sample(found: Verdicts, folder: Path) -> pl.Series:
    """Instructions of the kept rows with the smallest keys: a choice that no order of rows changes."""
    rows = np.flatnonzero(found.passes)
    chosen = rows[np.argsort(found.keys[rows], kind="stable")[: diversity.SAMPLE]]
    wanted = pl.DataFrame({"row_id": found.row_ids.gather(chosen)})
    kept = [
        pl.read_parquet(path, columns=["row_id", "instruction"], glob=False).join(wanted, on="row_id", how="semi")
        for path in sorted((folder / "kept").glob("*.parquet"))
    ]
    return wanted.join(pl.concat(kept), on="row_id", how="left", maintain_order="left")["instruction"]
