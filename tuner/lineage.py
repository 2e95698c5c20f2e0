"""From an adapter back to what it learned from: rows, their verdicts, prompts and seeds."""

from typing import Any

from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.registry import NAMES, planned
from tuner.runs import recipe_of
from tuner.stage import Parts, present


def lineage(store: Store, record: dict[str, Any], row: str | None = None) -> dict[str, Any]:
    """What a run's adapters are made of.

    Args:
        store: Where the run lies.
        record: The run's record.
        row: A row's id; its whole history is added.

    Returns:
        The run, its artifacts with their metrics and, for each adapter, where it lies and its training rows.

    Raises:
        InputError: If there is no such row in the run.
        StageError: If an artifact of the run is no longer there.
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

    paths = store.fetch_all(present(store, wanted.one("curate")), "rows")
    found = (
        pl.scan_parquet(paths, include_file_paths="file", glob=False)
        .filter(pl.col("row_id") == row)
        .collect()
        .to_dicts()
    )
    if not found:
        raise InputError(f"--row {row}: this run has no such row")
    # One file a shard, in their order; the column `shard` counts within a round.
    shard = wanted.of("generate")[[str(path) for path in paths].index(found[0].pop("file"))]
    split = present(store, wanted.one("split"))
    sides = [
        side
        for side in ("train", "validation")
        if row in parquet.read(store.fetch(split, f"{side}.parquet"))["row_id"].to_pylist()
    ]
    return {**found[0], "side": sides[0] if sides else None, "shard_fingerprint": shard.fingerprint}
