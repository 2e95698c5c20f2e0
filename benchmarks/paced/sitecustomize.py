"""Paced work: every stage sleeps for a known time and leaves a small artifact, in place of what would compute.

Python imports this before anything else in a process that has the folder on PYTHONPATH, which is how workers and the
flow runs that they start come to it. The file that PACED names says how many seconds a stage takes.
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
    """As `Stage.make`, but the work is sleep."""
    seconds = json.loads(Path(os.environ["PACED"]).read_text())

    def work(folder: Path) -> dict[str, Any]:
        time.sleep(seconds.get(self.name, seconds["other"]))
        (folder / "made").write_text(part.label)
        said = {"verdict": ("Paced work has no winner.",)} if self.name == "report" else {}
        return hollow(self.metrics, **said).model_dump(mode="json")

    return store.build(part, work)


Stage.make = make
