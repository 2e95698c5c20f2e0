"""The metrics of `generate`."""

from pydantic import Field

from tuner.metrics import Computed


class Generated(Computed):
    """Metrics of one shard; tokens are those sampled up to the end of each turn.

    Attributes:
        rows: Rows generated.
        outcomes: Number of rows by outcome, such as `complete`.
        engine: The engine that generated them.
        slots: Rows that were drawn at the same time, at most.
        reproducible: What a row is when it is drawn again, see `tuner.generation.engines`.
        served_model: The model's name on the servers that completed the prompts; empty if there were none.
        counted: What the engine itself has counted since it was opened, by name.
    """

    rows: int
    outcomes: dict[str, int]
    engine: str
    slots: int
    reproducible: str
    served_model: str
    counted: dict[str, float] = Field(default_factory=dict)
