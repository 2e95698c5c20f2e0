"""The stage `curate`: gives every row its verdict, with all reasons and scores. Rejected rows stay in the files."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation import diversity
from tuner.curation.cleaning import mask_beside
from tuner.curation.columns import bits
from tuner.curation.columns.messages import with_texts
from tuner.curation.duplicates import embedding
from tuner.curation.duplicates.matching import EDGES
from tuner.curation.metrics import Clusters, Curated, Diversity
from tuner.curation.settings import Curation
from tuner.curation.texts import BESIDE, CONTENTS, INSTRUCTION, RESPONSE, Shard, as_checked, judged_columns
from tuner.curation.verdicts import Verdicts, decide, read
from tuner.errors import StageError
from tuner.progress import Event, emit
from tuner.rows import THOUGHTS, TOOLS, united, with_columns

THREADS = 2
"""Shards written in parallel; each is held in memory."""

LARGEST = 20
"""How many clusters the metrics list."""

_CHECKS_ONLY = {"row_id", "reasons", "marks", INSTRUCTION, RESPONSE, CONTENTS}


def curate(
    shards: Sequence[Shard], edges: Sequence[Path], unfinished: int, curation: Curation, folder: Path
) -> Curated:
    """Decides on the rows of all shards.

    Args:
        shards: The files of every shard, at least one.
        edges: `edges.parquet` of every partition of the search for duplicates.
        unfinished: Buckets that this search left unfinished.
        curation: Which rows to keep.
        folder: Gets `rows/<shard>.parquet`, with all rows, and `kept/<shard>.parquet`.

    Raises:
        StageError: If two rows have one row_id, or the counts do not add up.
    """
    verdicts = read(shards, curation)
    if verdicts.row_ids.n_unique() != len(verdicts.row_ids):
        raise StageError(
            f"curate: {len(verdicts.row_ids):,} rows came in, but some share a row_id; was a shard passed twice?"
        )
    table = pa.concat_tables([EDGES.empty_table(), *(parquet.read(path) for path in edges)])
    decide(verdicts, table, shards, curation)
    schema = united([parquet.read_schema(shard.rows) for shard in shards])
    begins = np.concatenate([[0], np.cumsum(verdicts.sizes)])
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = [
            pool.submit(
                _write,
                shards[number],
                verdicts,
                slice(begins[number], begins[number + 1]),
                curation,
                folder,
                number,
                schema,
            )
            for number in range(len(shards))
        ]
        masked: Counter[str] = Counter()
        for done, job in enumerate(jobs, 1):
            masked.update(job.result())
            emit(Event("curate", done=done, total=len(jobs)))
    kept = int(np.count_nonzero(verdicts.passes))
    return check(
        Curated(
            rows=len(verdicts.row_ids),
            kept=kept,
            rejected=int(np.count_nonzero(~verdicts.passes)),
            reasons=bits.counts(verdicts.reasons),
            marks=bits.counts(verdicts.marks),
            masked_columns=dict(sorted(masked.items())),
            funnel=bits.firsts(verdicts.reasons),
            clusters=_clusters(verdicts),
            unfinished_buckets=unfinished,
            diversity=_diversity(verdicts, shards, curation, folder),
        )
    )


def check(metrics: Curated) -> Curated:
    """Returns the metrics if they count every row exactly once.

    Raises:
        StageError: If they do not.
    """
    in_funnel = sum(metrics.funnel.values())
    if metrics.kept + metrics.rejected != metrics.rows or in_funnel != metrics.rejected:
        raise StageError(
            f"curate: the counts do not add up: {metrics.rows:,} rows, {metrics.kept:,} kept, "
            f"{metrics.rejected:,} rejected, {in_funnel:,} in the funnel"
        )
    return metrics


def _write(
    shard: Shard,
    verdicts: Verdicts,
    span: slice,
    curation: Curation,
    folder: Path,
    number: int,
    schema: pa.Schema,
) -> dict[str, int]:
    """Writes the rows of a shard; returns in how many of them something was masked, by column beside the messages.

    All files have the columns of all shards, whose sources may have others, so that they are read as one table.
    """
    rows, checks = with_columns(parquet.read(shard.rows), schema), pl.read_parquet(shard.checks, glob=False)
    checked = as_checked(pl.DataFrame(rows.select(["instruction", "response"])), checks)
    rows = _with_texts(rows, checked, checks, curation)
    judged = judged_columns(shard)
    representatives = pl.Series(verdicts.duplicate_of[span]).replace(-1, None)
    columns: dict[str, Any] = {
        "verdict": pl.Series(np.where(verdicts.passes[span], "kept", "rejected")),
        "reasons": bits.names(verdicts.reasons[span]),
        "marks": bits.names(verdicts.marks[span]),
        **{name: checks[name] for name in checks.columns if name not in _CHECKS_ONLY},
        **judged,
        "cluster": verdicts.row_ids.gather(verdicts.cluster[span]),
        "duplicate_of": verdicts.row_ids.gather(representatives),
        "similarity": pl.Series(verdicts.similarity[span], nan_to_null=True),
    }
    for name, column in columns.items():
        array = column.to_arrow(compat_level=pl.CompatLevel.oldest()) if isinstance(column, pl.Series) else column
        rows = rows.append_column(name, array)
    parquet.write(rows, folder / "rows" / f"{number:05}.parquet")
    kept = rows.filter(pa.array(verdicts.passes[span]))
    examples = kept.select(["row_id", "messages"])
    for name, column in zip(("prompt", "completion"), _prompts_and_completions(kept["messages"]), strict=True):
        examples = examples.append_column(name, column)
    beside = [name for name in (TOOLS, THOUGHTS) if name in kept.column_names]
    for name in ("instruction", "quality", *judged, *beside):
        examples = examples.append_column(name, kept[name])
    parquet.write(examples, folder / "kept" / f"{number:05}.parquet")
    return {name: len(places) for name, places in _beside(checks).items()}


def _with_texts(rows: pa.Table, checked: pl.DataFrame, checks: pl.DataFrame, curation: Curation) -> pa.Table:
    """The rows with the texts as they were checked, and with what was masked beside them."""
    if (changed := np.flatnonzero(checks[CONTENTS].is_not_null())).size:
        texts = {name: checked[name].to_arrow(compat_level=pl.CompatLevel.oldest()) for name in checked.columns}
        contents = checks[CONTENTS].gather(changed).to_list()
        for name, column in (*texts.items(), ("messages", with_texts(rows["messages"], changed, contents))):
            rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    for name, places in _beside(checks).items():
        texts = pl.Series(name, rows[name]).clone()
        texts = texts.scatter(places, mask_beside(texts.gather(places), curation.safety))
        column = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(rows.schema.field(name).type)
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows


def _beside(checks: pl.DataFrame) -> dict[str, list[int]]:
    """The rows in which something was masked beside the messages, by the name of the column."""
    places: dict[str, list[int]] = {}
    if BESIDE in checks.columns:
        rows = checks[BESIDE].is_not_null().arg_true()
        for row, names in zip(rows.to_list(), checks[BESIDE].gather(rows).to_list(), strict=True):
            for name in names:
                places.setdefault(name, []).append(row)
    return places


def _prompts_and_completions(messages: pa.ChunkedArray) -> tuple[pa.ListArray, pa.ListArray]:
    """Each conversation without its last message, and the last message."""
    lists = messages.combine_chunks()
    flat = lists.flatten()
    ends = np.cumsum(lists.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int32)
    last = np.zeros(len(flat), np.bool_)
    last[ends - 1] = True
    numbers = np.arange(len(lists) + 1, dtype=np.int32)
    before = np.concatenate([[0], ends]).astype(np.int32) - numbers
    prompts = pa.ListArray.from_arrays(pa.array(before), flat.filter(pa.array(~last)))
    return prompts, pa.ListArray.from_arrays(pa.array(numbers), flat.filter(pa.array(last)))


def _clusters(verdicts: Verdicts) -> Clusters:
    sizes = np.bincount(verdicts.cluster, minlength=1)
    clustered = sizes[sizes > 1]
    order = np.argsort(-sizes, kind="stable")[: min(LARGEST, clustered.size)]
    counts = np.bincount(clustered) if clustered.size else np.zeros(0, np.int64)
    return Clusters(
        number=int(clustered.size),
        rows=int(clustered.sum()),
        largest={verdicts.row_ids[int(at)]: int(sizes[at]) for at in order},
        sizes={str(size): int(counts[size]) for size in np.flatnonzero(counts)},
    )


def _diversity(verdicts: Verdicts, shards: Sequence[Shard], curation: Curation, folder: Path) -> Diversity:
    """Of the kept rows with the smallest keys, so that the order of rows does not matter."""
    rows = np.flatnonzero(verdicts.passes)
    chosen = rows[np.argsort(verdicts.keys[rows], kind="stable")[: diversity.SAMPLE]]
    wanted = pl.DataFrame({"row_id": verdicts.row_ids.gather(chosen)})
    kept = [
        pl.read_parquet(path, columns=["row_id", "instruction"], glob=False).join(wanted, on="row_id", how="semi")
        for path in sorted((folder / "kept").glob("*.parquet"))
    ]
    instructions = wanted.join(pl.concat(kept), on="row_id", how="left", maintain_order="left")["instruction"]
    embedded = None
    if (semantic := curation.duplicates.semantic) is not None:
        texts = "instruction and response" if semantic.on == "both" else semantic.on
        vectors = embedding.read([shard.signatures for shard in shards], chosen[: diversity.NEIGHBOURS])
        embedded = diversity.Embedded(vectors, f"{semantic.embedder} of the {texts}")
    return diversity.measure(instructions, rows.size, embedded)
