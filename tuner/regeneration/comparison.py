"""The stage `compare`: challenger and champion on the same held-out rows, with the evaluator used for all adapters."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, StageError
from tuner.evaluation.metrics import Evaluated
from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.regeneration.contest import CHALLENGER, CHAMPION, Contest, contest, trained
from tuner.regeneration.metrics import Compared
from tuner.report.wording import Estimate, interval, rows_of, signed
from tuner.splitting.metrics import Overlap
from tuner.splitting.sides import SIDES, VALIDATION, file_of, written
from tuner.stage import require_artifact


def compare(store: Store, run: str) -> Manifest:
    """Compares a run's best adapter with the champion, or records why they cannot be compared.

    Args:
        store: The store that holds both, and that gets the comparison.
        run: A completed run.

    Returns:
        The artifact: `verdict.txt`, and `losses.parquet` if both were measured. Its metrics are `Compared`.

    Raises:
        DamagedArtifactError: If a file that is needed is damaged.
        InputError: If there is no such run, or the champion is no longer in the store.
        StageError: If the run was not evaluated, or the champion's training data is no longer in the store.
    """
    sides = contest(store, run)

    def make(folder: Path) -> dict[str, Any]:
        compared = _compared(store, sides, folder)
        (folder / "verdict.txt").write_text(f"{compared.verdict}\n", encoding="utf-8")
        return compared.model_dump(mode="json")

    return store.build(sides.spec, make)


def _compared(store: Store, sides: Contest, folder: Path) -> Compared:
    challenger = Evaluated.read(sides.evaluated).subjects[sides.adapter]
    if challenger.rows < FEWEST_ROWS:
        line = f"too few held-out rows: {rows_of(challenger.rows)}, at least {FEWEST_ROWS} needed; no alias is moved"
        return Compared(outcome="too_few_rows", verdict=line, challenger=challenger)
    if sides.champion is None:
        return Compared(outcome="first", verdict="there is no champion yet", challenger=challenger)
    if sides.champion.fingerprint == sides.fingerprint:
        return Compared(outcome="itself", verdict="the challenger is the champion itself", challenger=challenger)
    champion = trained(store, sides.champion)
    students = [_title(each.identity["student"]) for each in (champion, sides.wanted.one("train", sides.adapter))]
    if students[0] != students[1]:
        line = f"the champion is an adapter of another student, {students[0]}; the challenger is one of {students[1]}"
        return Compared(outcome="another_student", verdict=line, challenger=challenger)
    split = require_artifact(store, sides.wanted.one("split"))
    validation = store.fetch(split, "validation.parquet")
    overlap = _overlap(store, sides, champion, split)
    if overlap.example:
        held_out, trained_on = overlap.example
        line = (
            f"{max(overlap.exact_overlap, overlap.near_overlap):,} held-out rows are equal or similar to the "
            f"champion's training data, such as {held_out} to {trained_on}: it cannot be measured on them"
        )
        return Compared(outcome="leak", verdict=line, challenger=challenger, overlap=overlap)
    return _measured(store, sides, champion, validation, overlap, folder)


def _title(identity: Mapping[str, str]) -> str:
    """A student's identity as text."""
    return " ".join(f"{key} {value[:40]}" for key, value in identity.items())


def _overlap(store: Store, sides: Contest, champion: Manifest, split: Manifest) -> Overlap:
    """The overlap of the held-out rows of a split with the rows that the champion was trained on, or chosen by."""
    from tuner.splitting import templates
    from tuner.splitting.check import check

    fingerprint = str(champion.inputs["data"])
    data = store.find("split", fingerprint)
    if data is None:
        raise StageError(f"the split {fingerprint[:12]}... that the champion was trained on is no longer in the store")
    settings = sides.recipe.split
    validation, phrases = (store.fetch(split, name) for name in ("validation.parquet", templates.FILE))
    overlaps = [
        check(store.fetch(data, file_of(side)), validation, settings.similarity, settings.ngram, phrases)
        for side in written(data)
        if side != SIDES[VALIDATION]
    ]
    return next((overlap for overlap in overlaps if overlap.example), overlaps[0])


def _measured(
    store: Store, sides: Contest, champion: Manifest, validation: Path, overlap: Overlap, folder: Path
) -> Compared:
    """Scores both adapters, each on the student with the quantization that it was trained with."""
    from tuner.evaluation.bench import Bench
    from tuner.evaluation.subjects import loaded_adapter
    from tuner.settings import settings

    began = time.perf_counter()
    cache = settings().folder("cache/adapters")
    challenger = require_artifact(store, sides.wanted.one("train", sides.adapter))
    subjects = {CHALLENGER: challenger, CHAMPION: champion}
    bench = Bench(sides.recipe, validation, "compare", len(subjects))
    loaded: list[str | None] = []
    for name, manifest in subjects.items():
        if problem := store.problem(manifest):
            raise DamagedArtifactError(manifest.stage, manifest.fingerprint, problem)
        adapter = store.fetch_folder(manifest, "adapter", cache / manifest.fingerprint)
        quantization = manifest.identity["quantization"]
        if loaded[-1:] != [quantization]:
            bench.load(quantization)
            loaded.append(quantization)
        with loaded_adapter(bench.model, adapter) as model:
            bench.score(name, model)
    bench.write_losses(list(subjects), folder)
    measured_difference, loss = bench.difference(CHALLENGER, CHAMPION), bench.loss(CHALLENGER)
    difference = Estimate(measured_difference.difference, measured_difference.low, measured_difference.high)
    is_better = difference.is_below_zero
    return Compared(
        outcome="better" if is_better else "not_better",
        verdict=(
            f"the challenger's held-out loss is {'lower' if is_better else 'not shown to be lower'} than the "
            f"champion's: {signed(difference)} nats per token {interval(difference)} on {rows_of(loss.rows)}"
        ),
        challenger=loss,
        champion=bench.loss(CHAMPION),
        difference=measured_difference,
        overlap=overlap,
        precision=sides.recipe.evaluation.precision,
        seconds=time.perf_counter() - began,
    )
