"""A job: everything the child process that trains one adapter has to know, as one JSON file."""

from pathlib import Path

from tuner.section import Section
from tuner.training.methods import Adapter

METRICS = "metrics.json"
"""What was measured; in the output folder, but no part of the artifact."""


class Job(Section):
    """One training.

    Attributes:
        adapter: The adapter's name in the recipe.
        settings: Its method and settings.
        student: The model to adapt, as in the recipe.
        generator: The model whose chat template a student without one is given.
        seed: The recipe's.
        data: `train.parquet`, with `prompt` and `completion` as messages.
        output: The folder that gets `adapter/`, `curve.parquet` and `metrics.json`.
        checkpoints: The folder that outlives an attempt, and that the next one resumes from.
    """

    adapter: str
    settings: Adapter
    student: str
    generator: str
    seed: int
    data: Path
    output: Path
    checkpoints: Path

    def write(self, path: Path) -> None:
        """Writes the job as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2))

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Reads a job that `write` wrote."""
        return cls.model_validate_json(path.read_text())
