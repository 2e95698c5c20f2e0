"""Complete checkpoints: a marker file is written after a checkpoint, and only marked checkpoints are used.

A process can be killed while it writes a checkpoint. The trainer would use the incomplete folder as the newest
checkpoint, so it is removed before the next attempt.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "complete.json"
TRAINED = "trained.safetensors"
"""The file of the weights that are trained."""

OPTIMIZER = "optimizer.safetensors"
SCHEDULER = "scheduler.json"
RANDOM = "random.safetensors"
"""The files of the other state; see `tuner.training.state`."""

FILES = (MARKER, TRAINED, OPTIMIZER, SCHEDULER, RANDOM)
"""What a complete checkpoint has; one of an earlier version of this program has other files, and is not used."""


@dataclass(frozen=True)
class Progress:
    """The work done up to a checkpoint, by all attempts together.

    Attributes:
        step: Number of optimizer steps.
        seconds: Time in the training loop.
        tokens: Number of non-pad tokens.
    """

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def mark(checkpoint: Path, progress: Progress) -> None:
    """Marks a checkpoint as complete."""
    partial = checkpoint / f".{MARKER}"
    partial.write_text(json.dumps(asdict(progress)))
    partial.rename(checkpoint / MARKER)


def read(checkpoint: Path) -> tuple[Path, Progress]:
    """A complete checkpoint, and the work done up to it."""
    return checkpoint, Progress(**json.loads((checkpoint / MARKER).read_text()))


def newest(folder: Path) -> tuple[Path, Progress] | None:
    """The newest complete checkpoint, or None; removes incomplete ones."""
    complete: list[tuple[Path, Progress]] = []
    for checkpoint in folder.glob("checkpoint-*"):
        if all((checkpoint / name).exists() for name in FILES):
            complete.append(read(checkpoint))
        else:
            shutil.rmtree(checkpoint)
    return max(complete, key=lambda each: each[1].step, default=None)
