"""The stage `examine`: runs every check of single rows on one shard.

Texts are cleaned first, if the recipe says so, and then checked, so curating the kept rows again finds nothing new.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.cleaning import clean
from tuner.curation.columns import bits
from tuner.curation.columns.batch import Batch, Findings, merge
from tuner.curation.duplicates import embedding, exact, signatures
from tuner.curation.metrics import Examined
from tuner.curation.settings import Curation

READ = ("row_id", "messages", "instruction_finish", "response_finish")


def examine(rows: Path, curation: Curation, folder: Path, beside: Sequence[str] = ()) -> Examined:
    """Checks a shard and writes `checks.parquet` and `signatures.parquet`, whose rows are in the shard's order.

    Args:
        rows: `rows.parquet` of a shard.
        curation: What to look for.
        folder: Where to write.
        beside: Columns of texts that are kept beside the messages.

    Raises:
        InputError: If the recipe wants a language that the detector does not know, or a package that is not installed.
    """
    clock = time.perf_counter()
    frame = pl.read_parquet(rows, columns=[*READ, *beside], glob=False)
    batch, cleaned = clean(frame, curation, beside)
    findings = merge(cleaned, check(batch, curation))
    flagged = bits.pack(len(batch), findings.reasons)
    marks = flagged & bits.mask(curation.marked())
    reasons = flagged & ~marks
    scores = pl.DataFrame({"row_id": frame["row_id"], **findings.scores})
    checks = scores.to_arrow(compat_level=pl.CompatLevel.oldest())
    for name, column in (("reasons", reasons), ("marks", marks)):
        checks = checks.append_column(name, bits.names(column))
    parquet.write(checks, folder / "checks.parquet")
    parquet.write(_signatures(batch, reasons, scores["quality"], curation), folder / "signatures.parquet")
    seconds = time.perf_counter() - clock
    return Examined(
        rows=len(batch),
        passed=int(np.count_nonzero(reasons == 0)),
        reasons=bits.counts(reasons),
        seconds=round(seconds, 3),
        rows_per_second=round(len(batch) / seconds, 1),
    )


def check(batch: Batch, curation: Curation) -> Findings:
    """Applies every check of single rows that the recipe asks for."""
    findings = Findings()
    for section in curation.checks():
        if section.reasons:
            findings = merge(findings, section.find(batch, findings.reasons))
    return findings


def _signatures(batch: Batch, reasons: bits.Bits, scores: pl.Series, curation: Curation) -> pa.Table:
    near, semantic = curation.duplicates.near, curation.duplicates.semantic
    table = pl.DataFrame(
        {
            "key": exact.keys(batch.normal_instruction, batch.normal_response),
            "whole": batch.whole,
            "passes": reasons == 0,
            "quality": scores,
            **(signatures.columns(batch.instruction_words, batch.response_words, near) if near else {}),
        }
    )
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    if semantic is None:
        return arrow
    embedder = embedding.load(semantic.embedder)
    vectors = embedding.column(embedder, semantic.on, batch.normal_instruction, batch.normal_response)
    return arrow.append_column("embedding", vectors)
