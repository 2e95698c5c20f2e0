"""What `generate` measures."""

from tuner.metrics import Computed


class Generated(Computed):
    """One shard of rows; tokens are those drawn up to the end of each turn.

    Attributes:
        rows: Rows drawn.
        outcomes: Rows by what became of them, such as `complete`.
        engine: Which engine drew them.
    """

    rows: int
    outcomes: dict[str, int]
    engine: str
