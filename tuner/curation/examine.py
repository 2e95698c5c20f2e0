"""The stage `examine`: everything that can be said of a row alone, for the rows of one shard.

First the texts are cleaned, if the recipe says so; then every check looks at what they have become. So whoever
curates the kept rows again finds nothing new in them.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.checks import decontamination, form, gopher, language, personal_data, quality, repetition, toxicity
from tuner.curation.cleaning import clean
from tuner.curation.columns import bits
from tuner.curation.columns.batch import Batch, Findings
from tuner.curation.duplicates import embedding, exact, signatures
from tuner.curation.settings import Curation

READ = ("row_id", "instruction", "response", "instruction_finish", "response_finish")


def examine(rows: Path, curation: Curation, folder: Path) -> dict[str, Any]:
    """Checks the rows of a shard and writes `checks.parquet` and `signatures.parquet`, a row each, in order.

    Args:
        rows: `rows.parquet` of a shard.
        curation: What to look for.
        folder: Where to write.

    Returns:
        `rows`, `passed`, `seconds`, `rows_per_second`, and `reasons`: rows by reason, zeros included.

    Raises:
        InputError: If the recipe wants a language that the detector does not know, or a package that is not installed.
    """
    clock = time.perf_counter()
    frame = pl.read_parquet(rows, columns=[*READ, *(["messages"] if curation.form.sanitize else [])], glob=False)
    batch, cleaned = clean(frame, curation)
    findings = [cleaned, *check(batch, curation)]
    found = bits.pack(len(batch), {name: flags for each in findings for name, flags in each.reasons.items()})
    marks = found & bits.mask(marked(curation))
    reasons = found & ~marks
    scores = pl.DataFrame(
        {
            "row_id": frame["row_id"],
            "reason_bits": reasons,
            "mark_bits": marks,
            **{name: column for each in findings for name, column in each.scores.items()},
        }
    )
    _write(scores, folder / "checks.parquet")
    _write(_signatures(batch, reasons, scores["quality"], curation), folder / "signatures.parquet")
    seconds = time.perf_counter() - clock
    return {
        "rows": len(batch),
        "passed": int(np.count_nonzero(reasons == 0)),
        "reasons": bits.counts(reasons),
        "seconds": round(seconds, 3),
        "rows_per_second": round(len(batch) / seconds, 1),
    }


def check(batch: Batch, curation: Curation) -> list[Findings]:
    """Applies every check that the recipe asks for; each looks at a row alone."""
    shape = form.check(batch, curation.form)
    repeated = repetition.check(batch, curation.repetition)
    findings = [shape, repeated]
    if curation.repetition.gopher:
        findings.append(gopher.check(batch, curation.repetition))
    if curation.language is not None:
        findings.append(language.check(batch, curation.language))
    for action, module in ((curation.safety.toxicity, toxicity), (curation.safety.personal_data, personal_data)):
        if action in ("drop", "mark"):
            findings.append(module.check(batch))
    if curation.decontamination.against:
        benchmarks = decontamination.load(curation.decontamination)
        findings.append(decontamination.check(batch, benchmarks))
    scored = quality.check(batch, curation.quality, {**shape.reasons, **repeated.reasons})
    findings.append(scored)
    if curation.safety.harmful_words != "leave":
        harmful = (scored.scores["quality_toxicity"] == 0.0).fill_null(False).to_numpy()
        findings.append(Findings({"harmful_word": harmful}))
    return findings


def marked(curation: Curation) -> set[str]:
    """The reasons that are recorded but reject nothing."""
    names = set(curation.ignore)
    safety = curation.safety
    actions = {"toxic": safety.toxicity, "personal_data": safety.personal_data, "harmful_word": safety.harmful_words}
    return names | {reason for reason, action in actions.items() if action in ("mark", "redact")}


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
    embedder = embedding.minilm()
    vectors = embedding.column(embedder, semantic.on, batch.normal_instruction, batch.normal_response)
    return arrow.append_column("embedding", vectors)


def _write(table: pl.DataFrame | pa.Table, path: Path) -> None:
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest()) if isinstance(table, pl.DataFrame) else table
    parquet.write(arrow, path)
