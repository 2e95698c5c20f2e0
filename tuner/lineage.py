"""Lineage: from an adapter back to its training rows, their verdicts, prompts and seeds."""

from typing import Any

from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.curation.stages import drawn
from tuner.errors import InputError
from tuner.registry import NAMES, planned
from tuner.runs import recipe_of
from tuner.splitting import sides
from tuner.stage import Parts, require_artifact


def lineage(store: Store, record: dict[str, Any], row: str | None = None) -> dict[str, Any]:
    """The lineage of a run's adapters.

    Args:
        store: The store of the run.
        record: The run's record.
        row: The id of a row whose history is added.

    Returns:
        The run, its artifacts with their metrics and, for each adapter, its URI and its training rows.

    Raises:
        InputError: If there is no such row in the run.
        StageError: If an artifact of the run is missing in the store.
    """
    recipe = recipe_of(record)
    wanted = planned(recipe)
    artifacts = []
    for stage in NAMES:
        for spec in wanted.of(stage):
            manifest = store.find(stage, spec.fingerprint)
            artifacts.append(
                {
                    "stage": stage,
                    "label": spec.label,
                    "fingerprint": spec.fingerprint,
                    "uri": store.uri(manifest) if manifest else None,
                    "inputs": dict(spec.inputs),
                    "metrics": manifest.metrics if manifest else None,
                }
            )
    data: dict[str, Any] = {"run": record, "artifacts": artifacts, "adapters": {}}
    split = store.find("split", wanted.one("split").fingerprint)
    if split:
        ids = parquet.read(store.fetch(split, "train.parquet"))["row_id"].to_pylist()
        for name, spec in ((part.label, part) for part in wanted.of("train")):
            trained = store.find("train", spec.fingerprint)
            uri = store.uri(trained, "adapter") if trained else None
            data["adapters"][name] = {"uri": uri, "training_rows": ids}
    if row is not None:
        data["row"] = _history(store, wanted, row)
    return data


def _history(store: Store, wanted: Parts, row: str) -> dict[str, Any]:
    import polars as pl

    paths = store.fetch_all(require_artifact(store, wanted.one("curate")), "rows")
    rows = (
        pl.scan_parquet(paths, include_file_paths="file", glob=False)
        .filter(pl.col("row_id") == row)
        .collect()
        .to_dicts()
    )
    if not rows:
        raise InputError(f"--row {row}: this run has no such row")
    # There is one file for each shard, in order; the column `shard` counts within a round.
    shard = drawn(wanted)[[str(path) for path in paths].index(rows[0].pop("file"))]
    split = require_artifact(store, wanted.one("split"))
    found = [
        side
        for side in sides.written(split)
        if row in parquet.read(store.fetch(split, sides.file_of(side)))["row_id"].to_pylist()
    ]
    return {**rows[0], "side": found[0] if found else None, "shard_fingerprint": shard.part.fingerprint}
