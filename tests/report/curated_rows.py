"""Made-up curated rows, with the columns, files and metrics of an artifact of the stage `curate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.metrics import Clusters, Curated, Diversity, Neighbours
from tuner.curation.reasons import REASONS

HOSTILE = "<script>alert(1)</script> & </script><!-- <img src=x onerror=alert(2)>"
MATHS = "A lonely instruction $x$ asks: is 2 < 3 && 3 > 2?"

FIRST_REASONS = {
    "empty_response": 3,
    "cut_response": 6,
    "short_instruction": 4,
    "short_response": 5,
    "repeated_word": 3,
    "toxic": 1,
    "duplicate": 4,
    "near_duplicate": 2,
}
"""Number of rows by their first reason."""

ROWS, KEPT, FILES = 96, 68, 4

SCORES = (
    "instruction_words",
    "response_words",
    "repetition_ratio",
    "gopher_lines",
    "gopher_top_ngram",
    "gopher_repeated_ngrams",
    "language",
    "language_confidence",
    "quality",
    "quality_length",
    "quality_language",
    "quality_repetition",
    "quality_format",
    "quality_toxicity",
    "quality_content",
)

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("marks", pa.list_(pa.string())),
        ("sanitized_off", pa.string()),
        *(
            (name, pa.int32() if name.endswith("_words") else pa.string() if name == "language" else pa.float64())
            for name in SCORES
        ),
        ("toxic_terms", pa.string()),
        ("personal_data_kinds", pa.string()),
        ("benchmark", pa.string()),
        ("benchmark_overlap", pa.string()),
        ("cluster", pa.string()),
        ("duplicate_of", pa.string()),
        ("similarity", pa.float64()),
    ]
)


def rows() -> list[dict[str, Any]]:
    """96 rows: row 42-0-0 contains markup that could break the page, 42-0-1 is the winner of a cluster of seven."""
    dice = np.random.default_rng(7)
    reasons = [[reason] for reason, count in FIRST_REASONS.items() for _ in range(count)]
    reasons = [[]] * 2 + [([*names] if n % 3 else [*names, "low_quality"]) for n, names in enumerate(reasons)]
    reasons += [[]] * (KEPT - 2)
    order = [0, 1, *(2 + dice.permutation(ROWS - 2))]
    return [_row(index, sorted(reasons[at], key=list(REASONS).index), dice) for index, at in enumerate(order)]


def _row(index: int, reasons: list[str], dice: np.random.Generator) -> dict[str, Any]:
    empty = "empty_response" in reasons
    copy = {"duplicate", "near_duplicate"} & set(reasons)
    number = 1 if copy else index
    words = 0 if empty else int(dice.lognormal(4.3, 0.7)) + 4
    quality = None if empty else float(np.clip(dice.normal(0.82, 0.08), 0.51, 1))
    instruction = HOSTILE if index == 0 else f"Test instruction {number}: name three made-up rivers."
    if "near_duplicate" in reasons:
        instruction += f" And number {index}."
    return {
        "row_id": f"42-{index // 24}-{index % 24}",
        "shard": index // 24,
        "index": index % 24,
        "seed": index,
        "instruction": MATHS if index == 5 else instruction,
        "response": "" if empty else "The Ypsil, the Quor and the Lend. " * (words // 7 + 1),
        "verdict": "rejected" if reasons else "kept",
        "reasons": reasons,
        "marks": ["personal_data"] if index % 10 == 3 else [],
        "sanitized_off": "\n\nAnswer: the Ypsil." if index == 0 else None,
        "instruction_words": int(dice.lognormal(2.7, 0.7)) + 3,
        "response_words": words,
        "repetition_ratio": None if words < 10 else float(dice.beta(2, 20) + 0.3 * ("repeated_word" in reasons)),
        "gopher_lines": None if words < 50 else float(dice.choice([0, 0.4, 0.9])),
        "gopher_top_ngram": None if words < 50 else float(dice.gamma(2, 0.2)),
        "gopher_repeated_ngrams": None if words < 50 else float(dice.choice([0.0, 9.5])),
        "language": None if empty else "en" if index % 9 else "de",
        "language_confidence": None if empty else float(dice.beta(20, 1)),
        "quality": quality,
        **{name: quality for name in SCORES if name.startswith("quality_")},
        "toxic_terms": "threat: made-up threat" if "toxic" in reasons else None,
        "personal_data_kinds": "email, phone" if index % 10 == 3 else None,
        "benchmark": None,
        "benchmark_overlap": None,
        "cluster": "42-0-1" if copy else f"42-{index // 24}-{index % 24}",
        "duplicate_of": "42-0-1" if copy else None,
        "similarity": None if not copy else 1.0 if "duplicate" in copy else 0.45 if index < 40 else 0.83,
    }


def table(rows: Sequence[dict[str, Any]], without: Sequence[str] = ()) -> pa.Table:
    """Rows as a table, without some columns, which a recipe or a user's own data may lack."""
    return pa.Table.from_pylist(list(rows), SCHEMA).drop_columns(list(without))


def write(rows: pa.Table, folder: Path, files: int = FILES) -> list[Path]:
    """Writes rows as the stage does, one file per shard."""
    paths = [folder / f"{number:05}.parquet" for number in range(files)]
    ends = np.linspace(0, rows.num_rows, files + 1).astype(int).tolist()
    for path, begin, end in zip(paths, ends[:-1], ends[1:], strict=True):
        parquet.write(rows.slice(begin, end - begin), path)
    return paths


def metrics(rows: pa.Table) -> Curated:
    """The metrics of the stage for these rows."""

    def column(name: str, missing: Any) -> list[Any]:
        return rows[name].to_pylist() if name in rows.column_names else [missing] * rows.num_rows

    lists = {name: column(name, []) for name in ("reasons", "marks")}
    kept = rows["verdict"].to_pylist().count("kept")
    sizes: dict[str, int] = {}
    for name in column("cluster", None):
        sizes[name] = sizes.get(name, 0) + 1
    clusters = {name: size for name, size in sizes.items() if size > 1 and name is not None}
    counts = {
        name: {reason: sum(reason in row for row in column_lists) for reason in REASONS}
        for name, column_lists in lists.items()
    }
    return Curated(
        rows=rows.num_rows,
        kept=kept,
        rejected=rows.num_rows - kept,
        reasons=counts["reasons"],
        marks=counts["marks"],
        funnel={reason: sum(names[:1] == [reason] for names in lists["reasons"]) for reason in REASONS},
        clusters=Clusters(
            number=len(clusters),
            rows=sum(clusters.values()),
            largest=dict(sorted(clusters.items(), key=lambda item: -item[1])[:20]),
            sizes={str(size): list(clusters.values()).count(size) for size in sorted(set(clusters.values()))},
        ),
        unfinished_buckets=0,
        diversity=Diversity(
            kept=kept,
            sample=kept,
            distinct_1=0.2143,
            distinct_2=0.4012,
            distinct_3=0.4999,
            compression_ratio=4.123,
            nearest_neighbour=Neighbours(median=0.125, mean=0.1312, of=kept),
            openings={"test instruction": 0.9853, "a lonely": 0.0147},
        ),
    )
