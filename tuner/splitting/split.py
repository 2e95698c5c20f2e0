"""The stage `split`: which kept rows train and which are held out.

The sides are decided by hashes of the instructions' normalised texts. So equal instructions never stand on both sides,
however often and however written, nor do near ones, which hang together in clusters; and a regeneration under another
seed does not train on what an earlier one held out. What was written is checked by other means than it was made.
"""

from collections.abc import Sequence
from pathlib import Path

from tuner.artifacts import parquet
from tuner.curation.metrics import Curated
from tuner.errors import StageError
from tuner.splitting import writing
from tuner.splitting.check import check
from tuner.splitting.metrics import Divided, Overlap
from tuner.splitting.placement import NEAR_OTHER_SIDE, Placement, place
from tuner.splitting.rows import Former
from tuner.splitting.settings import Split
from tuner.splitting.sides import LEFT_OUT, SIDES, TRAIN, VALIDATION, side

__all__ = ["MIN_ROWS", "Former", "shortage", "side", "split"]

# Fewer rows have neither a batch nor an interval.
MIN_ROWS = 2


def split(kept: Sequence[Path], split: Split, former: Former | None, curated: Curated, folder: Path) -> Divided:
    """Writes `train.parquet`, `validation.parquet` and `left_out.parquet` from the kept rows.

    Args:
        kept: Files with `row_id`, `prompt`, `completion` and `messages`, at least one.
        split: The share to hold out, and what near is.
        former: An earlier split whose rows keep their sides.
        curated: The metrics of the curation that left the rows.
        folder: Where to write.

    Raises:
        StageError: If either side would have fewer than 2 rows, if the former split leaks by itself, or if what was
            written is found to leak.
    """
    placement = place(kept, former, split)
    if min(placement.count(TRAIN), placement.count(VALIDATION)) < MIN_ROWS:
        raise StageError(shortage(curated, placement))
    writing.write(kept, placement, folder)
    parquet.write(placement.left_out, folder / "left_out.parquet")
    paths = [folder / f"{name}.parquet" for name in SIDES]
    overlap = check(paths[TRAIN], paths[VALIDATION], split.similarity, split.ngram)
    if overlap.exact_overlap or overlap.near_overlap:
        for path in paths:
            path.unlink()
        raise StageError(_leak(overlap))
    together = placement.cluster_sizes[placement.cluster_sizes > 1]
    return Divided(
        train=placement.count(TRAIN),
        validation=placement.count(VALIDATION),
        left_out=placement.count(LEFT_OUT),
        former_rows=placement.former_rows,
        clusters=len(together),
        clustered_rows=int(together.sum()),
        largest_cluster=int(placement.cluster_sizes.max()),
        check=overlap,
    )


def shortage(curated: Curated, placement: Placement) -> str:
    """Says in one line what came in, what was kept, and why the rest fell (by first reason, most frequent first).

    Args:
        curated: The metrics of curation.
        placement: What would be written.
    """
    fallen = {reason: count for reason, count in curated.funnel.items() if count}
    # Equal counts by name, so that the line is the same in every run.
    counts = sorted(fallen.items(), key=lambda item: (-item[1], item[0]))
    line = (
        f"split: {placement.count(TRAIN):,} rows for training and {placement.count(VALIDATION):,} for validation, at "
        f"least {MIN_ROWS} each are needed: of {curated.rows:,} rows {curated.kept:,} were kept; rejected: "
        f"{', '.join(f'{count:,} {reason}' for reason, count in counts) or 'none'}"
    )
    if left_out := placement.count(LEFT_OUT):
        line += f"; left out: {left_out:,} {NEAR_OTHER_SIDE}"
    if (largest := placement.cluster_sizes.max(initial=0)) > 1:
        line += f"; {largest:,} have instructions that are near and stay on one side"
    return f"{line}. Raise generation.rows, relax curation or change split.validation"


def _leak(overlap: Overlap) -> str:
    held, trained = overlap.example or ("", "")
    return (
        f"split: the check found {overlap.exact_overlap:,} validation rows equal to and {overlap.near_overlap:,} near "
        f"to training rows, such as {held} to {trained}; the split was thrown away"
    )
