"""The stage `split`: splits kept rows into those to train on, to choose by and to hold out for the verdict.

Hashes of the normalised instructions decide the sides. So equal instructions are always on the same side, near ones too
(clusters stay together), and a regeneration under another seed does not train on what an earlier one held out. The
written files are checked for leaks by independent code.
"""

from collections.abc import Sequence
from pathlib import Path

from tuner.artifacts import parquet
from tuner.curation.columns.ngrams import template_rows
from tuner.curation.metrics import Curated
from tuner.errors import StageError
from tuner.splitting import templates, writing
from tuner.splitting.check import check, miscounted
from tuner.splitting.metrics import Overlap, SplitMetrics, TuningChecks
from tuner.splitting.placement import NEAR_OTHER_SIDE, Placement, place
from tuner.splitting.rows import Former
from tuner.splitting.settings import Split
from tuner.splitting.shares import side
from tuner.splitting.sides import LEFT_OUT, PURPOSES, TRAIN, TUNING, VALIDATION, pairs

__all__ = ["MIN_ROWS", "Former", "shortage", "side", "split"]

# A confidence interval needs at least two rows.
MIN_ROWS = 2


def split(kept: Sequence[Path], split: Split, former: Former | None, curated: Curated, folder: Path) -> SplitMetrics:
    """Writes a file for each wanted side (`train.parquet` and so on), `left_out.parquet` and `templates.parquet`.

    Args:
        kept: Files with `row_id`, `prompt`, `completion` and `messages`, at least one.
        split: The shares of the sides, and the similarity from which instructions are near.
        former: An earlier split whose rows keep their sides.
        curated: The metrics of the curation that kept the rows.
        folder: Where to write.

    Raises:
        StageError: If a wanted side would have fewer than 2 rows, if the former split itself leaks, if the written
            files leak, or if templates were miscounted.
    """
    placement = place(kept, former, split)
    if min(map(placement.count, split.sides)) < MIN_ROWS:
        raise StageError(shortage(curated, placement, split.sides))
    paths = dict(zip(split.sides, writing.write(kept, placement, split.sides, folder), strict=True))
    parquet.write(placement.left_out, folder / "left_out.parquet")
    phrases = folder / templates.FILE
    parquet.write(placement.templates, phrases)
    overlaps = {
        (side, other): check(paths[other], paths[side], split.similarity, split.ngram, phrases)
        for side, other in pairs(split.sides)
    }
    leaks = [pair for pair, overlap in overlaps.items() if overlap.exact_overlap or overlap.near_overlap]
    files = list(paths.values())
    wrong = 0 if former else miscounted(files, phrases, split.ngram, template_rows(placement.sides.size))
    if leaks or wrong:
        for path in files:
            path.unlink()
        raise StageError(_leak(*leaks[0], overlaps[leaks[0]]) if leaks else _miscount(wrong))
    clusters = placement.cluster_sizes[placement.cluster_sizes > 1]
    return SplitMetrics(
        train=placement.count(TRAIN),
        tuning=placement.count(TUNING),
        validation=placement.count(VALIDATION),
        left_out=placement.count(LEFT_OUT),
        former_rows=placement.former_rows,
        clusters=len(clusters),
        clustered_rows=int(clusters.sum()),
        largest_cluster=int(placement.cluster_sizes.max()),
        check=overlaps[VALIDATION, TRAIN],
        tuning_checks=TuningChecks(training=overlaps[TUNING, TRAIN], validation=overlaps[VALIDATION, TUNING])
        if TUNING in split.sides
        else None,
    )


def shortage(curated: Curated, placement: Placement, sides: Sequence[int]) -> str:
    """One line on a split with too few rows: rows in, rows kept, and reasons for rejection, most frequent first.

    Args:
        curated: The metrics of curation.
        placement: The split that was not written.
        sides: The sides that are wanted.
    """
    rejected = {reason: count for reason, count in curated.funnel.items() if count}
    # Equal counts are sorted by name, so that the line is the same in every run.
    counts = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    *others, last = (
        f"{placement.count(side):,} {'rows ' if side == TRAIN else ''}for {PURPOSES[side]}" for side in sides
    )
    line = (
        f"split: {', '.join(others)} and {last}, at least {MIN_ROWS} each are needed: of "
        f"{curated.rows:,} rows {curated.kept:,} were kept; rejected: "
        f"{', '.join(f'{count:,} {reason}' for reason, count in counts) or 'none'}"
    )
    if left_out := placement.count(LEFT_OUT):
        line += f"; left out: {left_out:,} {NEAR_OTHER_SIDE}"
    if (largest := placement.cluster_sizes.max(initial=0)) > 1:
        line += f"; {largest:,} have near instructions and stay on one side"
    if former_rows := placement.former_rows:
        line += f"; {former_rows:,} keep their sides of split.former"
    shares = "split.validation or split.tuning" if TUNING in sides else "split.validation"
    return f"{line}. Raise generation.rows, relax curation or change {shares}"


def _leak(side: int, other: int, overlap: Overlap) -> str:
    equal, near, rows = overlap.exact_overlap, overlap.near_overlap, " and ".join(overlap.example or ())
    return (
        f"split: the leak check found {equal:,} {PURPOSES[side]} rows equal to and {near:,} near {PURPOSES[other]} "
        f"rows, such as {rows}; the split was discarded"
    )


def _miscount(phrases: int) -> str:
    return f"split: {phrases:,} phrases of templates were miscounted; the split was discarded"
