"""Writes the dataset of a run: the sides of the split, the rejected rows with their reasons, and the card."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from tuner import hashing
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.curation.metrics import Curated
from tuner.errors import InputError
from tuner.export import card
from tuner.export.card import RUN_FILES, RunFacts
from tuner.registry import planned
from tuner.runs import recipe_of
from tuner.splitting.metrics import SplitMetrics
from tuner.splitting.sides import file_of, written
from tuner.stage import require_artifact

RECORD = "export.json"
"""The record of an export: its run and its files. Written last."""

REJECTED = (
    "row_id",
    "reasons",
    "marks",
    "instruction",
    "response",
    "messages",
    "instruction_words",
    "response_words",
    "quality",
    "language",
    "cluster",
    "duplicate_of",
    "similarity",
)
"""Exported columns of rejected rows. The prompts are not exported: they hold texts from before masking."""

WITHHELD = ("toxic", "personal_data")
"""The texts of rows with these reasons are not exported."""

_TEXTS = ("instruction", "response", "messages")


def begun_record(run: str) -> bytes:
    """The content of `export.json` until the export is complete: it names the run only."""
    return json.dumps({"run": run}).encode()


def not_empty_error(place: str) -> InputError:
    """The error for a place that is not empty, even if it holds an earlier export."""
    return InputError(f"--to {place}: is not empty; name another place, or remove what is there")


def fill(store: Store, run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Writes a run's dataset into an empty folder.

    Args:
        store: The store of the run.
        run: The run's record.
        folder: Gets `README.md`, a file of each side in `data` (`data/train.parquet` and so on),
            `rejected/rejected.parquet` (every other row, with its reasons, if there are any) and `export.json`.

    Returns:
        The content of `export.json`: `run`, `curate` and `split` (fingerprints), `masked` (what was masked, in words),
        `rows` of each data file, and `files` (sha256 by name).

    Raises:
        InputError: If the run has not got as far as its split.
        DamagedArtifactError: If a file of the run is damaged.
    """
    recipe = recipe_of(run)
    wanted = planned(recipe)
    if store.find("split", wanted.one("split").fingerprint) is None:
        raise InputError(
            f"{run['name']}: has no split yet (state: {run['state']}, until {run['until']}), so there is nothing to "
            "export; run its recipe until split or further"
        )
    curated, split = require_artifact(store, wanted.one("curate")), require_artifact(store, wanted.one("split"))
    (folder / "data").mkdir()
    for side in written(split):
        shutil.copyfile(store.fetch(split, file_of(side)), folder / RUN_FILES["default"][side])
    rows = store.fetch_all(curated, "rows")
    _write_rejected(rows, _left_out(store, split), folder / RUN_FILES["rejected"]["rejected"])
    exported_files: dict[str, dict[str, str]] = {}
    for config, splits in RUN_FILES.items():
        if existing := {name: path for name, path in splits.items() if (folder / path).exists()}:
            exported_files[config] = existing
    counted = Curated.read(curated)
    facts = RunFacts(run["name"], recipe, counted, SplitMetrics.read(split), rows, exported_files)
    (folder / "README.md").write_text(card.of_run(facts), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    record = {
        "run": run["name"],
        "curate": curated.fingerprint,
        "split": split.fingerprint,
        "masked": recipe.curation.safety.masked(counted.marks),
        "rows": {path.stem: parquet.read_metadata(path).num_rows for path in files if path.suffix == ".parquet"},
        "files": {path.relative_to(folder).as_posix(): hashing.of_file(path) for path in files},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
    return record


def _left_out(store: Store, split: Manifest) -> pl.DataFrame:
    """Kept rows that are on no side: `row_id` and `reason`."""
    return pl.read_parquet(store.fetch(split, "left_out.parquet"), columns=["row_id", "reason"], glob=False)


def _write_rejected(rows: list[Path], left_out: pl.DataFrame, path: Path) -> None:
    """Writes the rows that are on no side, file by file; no file if there are none."""
    path.parent.mkdir()
    schema = parquet.read_schema(rows[0])
    schema = pa.schema([pa.field(name, schema.field(name).type) for name in REJECTED if name in schema.names])
    # The same settings as `tuner.artifacts.parquet.write`.
    with parquet.ParquetWriter(path, schema, compression="zstd", store_schema=False) as writer:
        for file in rows:
            frame = pl.read_parquet(file, columns=[*schema.names, "verdict"], glob=False)
            frame = frame.join(left_out, on="row_id", how="left", maintain_order="left")
            frame = frame.filter((pl.col("verdict") == "rejected") | pl.col("reason").is_not_null())
            frame = frame.with_columns(
                pl.when(pl.col("reason").is_not_null())
                .then(pl.concat_list("reasons", "reason"))
                .otherwise("reasons")
                .alias("reasons")
            )
            withheld = pl.any_horizontal(pl.col("reasons").list.contains(reason) for reason in WITHHELD)
            frame = frame.with_columns(pl.when(~withheld).then(pl.col(name)).alias(name) for name in _TEXTS)
            if len(frame):  # `datasets` does not read row groups without rows
                table = frame.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest())
                writer.write_table(table.cast(schema))
    # Nor does it read files without rows.
    if not parquet.read_metadata(path).num_rows:
        path.unlink()
        path.parent.rmdir()
