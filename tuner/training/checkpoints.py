"""Checkpoints that can be trusted: a marker is written once a checkpoint is complete, and only marked ones are used.

A process can be killed while it writes one. The trainer would take such a half-written folder for the newest
checkpoint; here it is removed before the next attempt looks.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "complete.json"


@dataclass(frozen=True)
class Progress:
    """What the attempts up to a checkpoint have spent.

    Attributes:
        step: Optimizer steps done.
        seconds: In the training loop.
        tokens: Non-pad tokens seen.
    """

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0


def mark(checkpoint: Path, progress: Progress) -> None:
    """Declares a checkpoint complete."""
    scratch = checkpoint / f".{MARKER}"
    scratch.write_text(json.dumps(asdict(progress)))
    scratch.rename(checkpoint / MARKER)


def newest(folder: Path) -> tuple[Path, Progress] | None:
    """The newest complete checkpoint, if there is one; incomplete ones are removed."""
    complete: list[tuple[Path, Progress]] = []
    for checkpoint in folder.glob("checkpoint-*"):
        marker = checkpoint / MARKER
        if marker.exists():
            complete.append((checkpoint, Progress(**json.loads(marker.read_text()))))
        else:
            shutil.rmtree(checkpoint)
    return max(complete, key=lambda found: found[1].step, default=None)
