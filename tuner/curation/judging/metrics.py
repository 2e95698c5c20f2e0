"""Metrics of the stage `judge`."""

from tuner.metrics import Finite, Metrics


class Judged(Metrics):
    """One shard after the models have judged it.

    Attributes:
        rows: All rows.
        judged: Rows that pass all checks of single rows, which alone are judged.
        unread: Of these, rows that a model could not read whole, by the column that is null for that.
        tags: Rows by tag, by kind, the most frequent first.
        certainty: Mean probability of the tags, by kind.
        mean_reward: Mean of the rewards; None if there is none.
        device: The device, such as `cuda`.
        dtype: The number format, such as `bfloat16`.
        seconds: How long it took, without loading.
        rows_per_second: Judged rows divided by seconds.
    """

    rows: int
    judged: int
    unread: dict[str, int]
    tags: dict[str, dict[str, int]]
    certainty: dict[str, Finite]
    mean_reward: Finite
    device: str
    dtype: str
    seconds: float
    rows_per_second: float
