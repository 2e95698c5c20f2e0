"""The stage `compare`: challenger and champion on the same held-out rows, by the evaluator that all adapters meet."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, StageError
from tuner.evaluation.statistics import FEWEST_ROWS
from tuner.regeneration.contest import CHALLENGER, CHAMPION, Contest, contest, trained
from tuner.report.wording import Estimate, interval, rows_of, signed
from tuner.stage import present

if TYPE_CHECKING:
    from tuner.splitting.check import Overlap

TOO_FEW = "too_few_rows"
WON = ("first", "better")
"""Outcomes that make the challenger the champion. The others: `not_better`, `itself` (both are one adapter),
`another_student`, `leak` (the champion has trained on what it would be measured on) and `too_few_rows`, which moves no
alias at all."""


def compare(store: Store, run: str) -> Manifest:
    """Compares a run's best adapter with the champion, or says why they cannot be compared.

    Args:
        store: Where both lie, and where the comparison goes.
        run: A completed run.

    Returns:
        The artifact: `verdict.txt`, and `losses.parquet` where both were measured. Metrics: `outcome`, `verdict` (a
        line), `challenger` and, if it was measured, `champion` ({`loss`, `low`, `high`, `tokens`, `rows`}),
        `difference` ({`difference` (the challenger's loss minus the champion's), `low`, `high`}), and `overlap` (what
        the check for leaks found).

    Raises:
        DamagedArtifactError: If a file to be read is damaged.
        InputError: If there is no such run, or the champion is not in the store any more.
        StageError: If the run was not evaluated, or the data that the champion was trained on are gone.
    """
    sides = contest(store, run)

    def make(folder: Path) -> dict[str, Any]:
        metrics = _compared(store, sides, folder)
        (folder / "verdict.txt").write_text(f"{metrics['verdict']}\n", encoding="utf-8")
        return metrics

    return store.build(sides.spec, make)


def _compared(store: Store, sides: Contest, folder: Path) -> dict[str, Any]:
    challenger = sides.evaluated.metrics["subjects"][sides.adapter]
    if challenger["rows"] < FEWEST_ROWS:
        line = f"too few rows to say: {rows_of(challenger['rows'])} held out, it takes {FEWEST_ROWS}; no alias is moved"
        return _outcome(TOO_FEW, line, challenger)
    if sides.champion is None:
        return _outcome("first", "there is no champion yet", challenger)
    if sides.champion.fingerprint == sides.fingerprint:
        return _outcome("itself", "the challenger is the champion itself", challenger)
    champion = trained(store, sides.champion)
    students = [_title(each.identity["student"]) for each in (champion, sides.wanted.one("train", sides.adapter))]
    if students[0] != students[1]:
        line = f"the champion is an adapter of another student, {students[0]}; the challenger is one of {students[1]}"
        return _outcome("another_student", line, challenger)
    validation = store.fetch(present(store, sides.wanted.one("split")), "validation.parquet")
    overlap = _overlap(store, sides, champion, validation)
    if overlap.example:
        held, learned = overlap.example
        line = (
            f"of the rows held out {max(overlap.exact_overlap, overlap.near_overlap):,} are in what the champion was "
            f"trained on, or near to it, such as {held} to {learned}: it cannot be measured on them"
        )
        return _outcome("leak", line, challenger, overlap=overlap.metrics())
    measured = _measured(store, sides, champion, validation, folder)
    difference = Estimate(*(measured["difference"][key] for key in ("difference", "low", "high")))
    is_better = difference.is_below_zero
    line = (
        f"the challenger's held-out loss is {'lower' if is_better else 'not shown to be lower'} than the champion's: "
        f"{signed(difference)} nats per token {interval(difference)} on {rows_of(measured['challenger']['rows'])}"
    )
    return _outcome("better" if is_better else "not_better", line, overlap=overlap.metrics(), **measured)


def _outcome(name: str, verdict: str, challenger: Mapping[str, Any], **found: Any) -> dict[str, Any]:
    return {"outcome": name, "verdict": verdict, "challenger": challenger, **found}


def _title(identity: Mapping[str, str]) -> str:
    """A student by what decides its weights."""
    return " ".join(f"{key} {value[:40]}" for key, value in identity.items())


def _overlap(store: Store, sides: Contest, champion: Manifest, validation: Path) -> "Overlap":
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


def _measured(store: Store, sides: Contest, champion: Manifest, validation: Path, folder: Path) -> dict[str, Any]:
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
    return {
        **{name: bench.interval(name) for name in subjects},
        "difference": bench.difference(CHALLENGER, CHAMPION),
        "precision": sides.recipe.evaluation.precision,
        "seconds": time.perf_counter() - began,
    }
