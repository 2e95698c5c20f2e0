"""Paced work: instead of computing, every stage sleeps for a known time and writes a small artifact.

Python imports this module at startup if its folder is on PYTHONPATH, so it applies to workers and their flow runs. The
file named by PACED has the seconds per stage.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from tests.hollow import hollow
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.stage import Part, Stage


def make(self: Stage, recipe: Recipe, part: Part, store: Store) -> Manifest:
    """Like `Stage.make`, but the work is a sleep."""
    seconds = json.loads(Path(os.environ["PACED"]).read_text())

    def work(folder: Path) -> dict[str, Any]:
        time.sleep(seconds.get(self.name, seconds["other"]))
        (folder / "made").write_text(part.label)
        fields = {"verdict": ("Paced work has no winner.",)} if self.name == "report" else {}
        return hollow(self.metrics, **fields).model_dump(mode="json")

    return store.build(part, work)


Stage.make = make
