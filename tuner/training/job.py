"""A job: all parameters of the child process that trains one adapter, as one JSON file."""

from pathlib import Path

from pydantic import Field

from tuner.models.settings import Models
from tuner.section import Section
from tuner.training.methods import Adapter

METRICS = "metrics.json"
"""The file of the metrics, in the output folder; it is not part of the artifact."""


class Job(Section):
    """The parameters of one training.

    Attributes:
        stage: The stage of the artifact that is made.
        adapter: The artifact's label, such as the adapter's name in the recipe.
        settings: Its method and settings.
        models: The recipe's models: the student to adapt, and the generator, which lends a chat template if need be.
        seed: The recipe's seed.
        data: `train.parquet` of the split, with `prompt` and `completion` as messages; for a preference objective that
            of the pairs, with `chosen` and `rejected`.
        tuning: `tuning.parquet`, the rows or pairs to choose by; None if the split has none.
        reference: The likelihoods of the pairs under the reference, for an objective that needs them.
        tuning_reference: Those of the pairs to choose by.
        start: The folder of the adapter that it goes on from.
        until: The share of all steps after which a leg of the training ends; None to train to the end.
        state: The folder of the state in which the leg before ended; None to begin anew.
        processes: The processes that train together; each takes an equal part of every batch.
        output: The folder for `adapter/`, `curve.parquet` and `metrics.json`.
        checkpoints: The folder of the checkpoints, which is kept between attempts.
    """

    stage: str = "train"
    adapter: str
    settings: Adapter
    models: Models
    seed: int
    data: Path
    tuning: Path | None = None
    reference: Path | None = None
    tuning_reference: Path | None = None
    start: Path | None = None
    until: float | None = Field(default=None, gt=0, lt=1)
    state: Path | None = None
    processes: int = 1
    output: Path
    checkpoints: Path

    @property
    def rendezvous(self) -> Path:
        """The file by which processes that train together find each other."""
        return self.checkpoints / "rendezvous"

    def write(self, path: Path) -> None:
        """Writes the job as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Reads a job that `write` wrote."""
        return cls.model_validate_json(path.read_text())
