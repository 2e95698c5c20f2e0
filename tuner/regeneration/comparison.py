"""The stage `compare`: challenger and champion on the same held-out rows, by the evaluator that all adapters meet."""

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
from tuner.stage import present


def compare(store: Store, run: str) -> Manifest:
    """Compares a run's best adapter with the champion, or says why they cannot be compared.

    Args:
        store: Where both lie, and where the comparison goes.
        run: A completed run.

    Returns:
        The artifact: `verdict.txt`, and `losses.parquet` where both were measured. Its metrics are `Compared`.

    Raises:
        DamagedArtifactError: If a file to be read is damaged.
        InputError: If there is no such run, or the champion is not in the store any more.
        StageError: If the run was not evaluated, or the data that the champion was trained on are gone.
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
        line = f"too few rows to say: {rows_of(challenger.rows)} held out, it takes {FEWEST_ROWS}; no alias is moved"
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
    validation = store.fetch(present(store, sides.wanted.one("split")), "validation.parquet")
    overlap = _overlap(store, sides, champion, validation)
    if overlap.example:
        held, learned = overlap.example
        line = (
            f"of the rows held out {max(overlap.exact_overlap, overlap.near_overlap):,} are in what the champion was "
            f"trained on, or near to it, such as {held} to {learned}: it cannot be measured on them"
        )
        return Compared(outcome="leak", verdict=line, challenger=challenger, overlap=overlap)
    return _measured(store, sides, champion, validation, overlap, folder)


def _title(identity: Mapping[str, str]) -> str:
    """A student by what decides its weights."""
    return " ".join(f"{key} {value[:40]}" for key, value in identity.items())


def _overlap(store: Store, sides: Contest, champion: Manifest, validation: Path) -> Overlap:
    """What the held-out rows have in common with those that the champion was trained on."""
    from tuner.splitting.check import check

    fingerprint = str(champion.inputs["data"])
    data = store.find("split", fingerprint)
    if data is None:
        raise StageError(
            f"the split {fingerprint[:12]}... that the champion was trained on is not in the store any more"
        )
    split = sides.recipe.split
    return check(store.fetch(data, "train.parquet"), validation, split.similarity, split.ngram)


def _measured(
    store: Store, sides: Contest, champion: Manifest, validation: Path, overlap: Overlap, folder: Path
) -> Compared:
    """Scores both, each on the student in the precision it was trained on."""
    from tuner.evaluation.bench import Bench
    from tuner.evaluation.subjects import wearing
    from tuner.settings import settings

    began = time.perf_counter()
    home = settings().folder("cache/adapters")
    challenger = present(store, sides.wanted.one("train", sides.adapter))
    subjects = {CHALLENGER: challenger, CHAMPION: champion}
    bench = Bench(sides.recipe, validation, "compare", len(subjects))
    loaded: list[str | None] = []
    for name, manifest in subjects.items():
        if problem := store.problem(manifest):
            raise DamagedArtifactError(manifest.stage, manifest.fingerprint, problem)
        adapter = store.fetch_folder(manifest, "adapter", home / manifest.fingerprint)
        quantization = manifest.identity["quantization"]
        if loaded[-1:] != [quantization]:
            bench.load(quantization)
            loaded.append(quantization)
        with wearing(bench.model, adapter) as model:
            bench.score(name, model)
    bench.write_losses(list(subjects), folder)
    found, measured = bench.difference(CHALLENGER, CHAMPION), bench.interval(CHALLENGER)
    difference = Estimate(found.difference, found.low, found.high)
    is_better = difference.is_below_zero
    return Compared(
        outcome="better" if is_better else "not_better",
        verdict=(
            f"the challenger's held-out loss is {'lower' if is_better else 'not shown to be lower'} than the "
            f"champion's: {signed(difference)} nats per token {interval(difference)} on {rows_of(measured.rows)}"
        ),
        challenger=measured,
        champion=bench.interval(CHAMPION),
        difference=found,
        overlap=overlap,
        precision=sides.recipe.evaluation.precision,
        seconds=time.perf_counter() - began,
    )
