"""The stage `split`: splits kept rows into training and held-out rows.

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
from tuner.splitting.metrics import Overlap, SplitMetrics
from tuner.splitting.placement import NEAR_OTHER_SIDE, Placement, place
from tuner.splitting.rows import Former
from tuner.splitting.settings import Split
from tuner.splitting.sides import LEFT_OUT, SIDES, TRAIN, VALIDATION, side

__all__ = ["MIN_ROWS", "Former", "shortage", "side", "split"]

# A confidence interval needs at least two rows.
MIN_ROWS = 2


def split(kept: Sequence[Path], split: Split, former: Former | None, curated: Curated, folder: Path) -> SplitMetrics:
    """Writes `train.parquet`, `validation.parquet`, `left_out.parquet` and `templates.parquet` from the kept rows.

    Args:
        kept: Files with `row_id`, `prompt`, `completion` and `messages`, at least one.
        split: The share to hold out, and the similarity from which instructions are near.
        former: An earlier split whose rows keep their sides.
        curated: The metrics of the curation that kept the rows.
        folder: Where to write.

    Raises:
        StageError: If either side would have fewer than 2 rows, if the former split itself leaks, if the written files
            leak, or if templates were miscounted.
    """
    placement = place(kept, former, split)
    if min(placement.count(TRAIN), placement.count(VALIDATION)) < MIN_ROWS:
        raise StageError(shortage(curated, placement))
    writing.write(kept, placement, folder)
    parquet.write(placement.left_out, folder / "left_out.parquet")
    phrases = folder / templates.FILE
    parquet.write(placement.templates, phrases)
    paths = [folder / f"{name}.parquet" for name in SIDES]
    overlap = check(paths[TRAIN], paths[VALIDATION], split.similarity, split.ngram, phrases)
    wrong = 0 if former else miscounted(paths, phrases, split.ngram, template_rows(placement.sides.size))
    if overlap.exact_overlap or overlap.near_overlap or wrong:
        for path in paths:
            path.unlink()
        raise StageError(_problem(overlap, wrong))
    clusters = placement.cluster_sizes[placement.cluster_sizes > 1]
    return SplitMetrics(
        train=placement.count(TRAIN),
        validation=placement.count(VALIDATION),
        left_out=placement.count(LEFT_OUT),
        former_rows=placement.former_rows,
        clusters=len(clusters),
        clustered_rows=int(clusters.sum()),
        largest_cluster=int(placement.cluster_sizes.max()),
        check=overlap,
    )


def shortage(curated: Curated, placement: Placement) -> str:
    """One line on a split with too few rows: rows in, rows kept, and reasons for rejection, most frequent first.

    Args:
        curated: The metrics of curation.
        placement: The split that was not written.
    """
    rejected = {reason: count for reason, count in curated.funnel.items() if count}
    # Equal counts are sorted by name, so that the line is the same in every run.
    counts = sorted(rejected.items(), key=lambda item: (-item[1], item[0]))
    line = (
        f"split: {placement.count(TRAIN):,} rows for training and {placement.count(VALIDATION):,} for validation, at "
        f"least {MIN_ROWS} each are needed: of {curated.rows:,} rows {curated.kept:,} were kept; rejected: "
        f"{', '.join(f'{count:,} {reason}' for reason, count in counts) or 'none'}"
    )
    if left_out := placement.count(LEFT_OUT):
        line += f"; left out: {left_out:,} {NEAR_OTHER_SIDE}"
    if (largest := placement.cluster_sizes.max(initial=0)) > 1:
        line += f"; {largest:,} have near instructions and stay on one side"
    return f"{line}. Raise generation.rows, relax curation or change split.validation"


def _problem(overlap: Overlap, miscounted: int) -> str:
    if not overlap.example:
        return f"split: {miscounted:,} phrases of templates were miscounted; the split was discarded"
    row, other = overlap.example
    return (
        f"split: the leak check found {overlap.exact_overlap:,} validation rows equal to and {overlap.near_overlap:,} "
        f"near training rows, such as {row} and {other}; the split was discarded"
    )
