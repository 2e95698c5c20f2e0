"""Weights & Biases: an offline run for each curve, below WANDB_DIR or this folder, as its library writes them.

Nothing is sent; `wandb sync` uploads them. https://docs.wandb.ai/ref/python/init/
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from tuner import hashing
from tuner.errors import InputError
from tuner.export.trackers.curves import Curve
from tuner.export.trackers.extras import library

_ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false"}  # else it sends reports to its makers

_QUIET = {
    "console": "off",
    "silent": True,
    "save_code": False,
    "disable_git": True,
    "disable_code": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_machine_info": True,
    "x_save_requirements": False,
}
"""Nothing about this machine is added: its name, the command line, the packages, the state of its git repository."""


class Wandb:
    """A project of Weights & Biases.

    Args:
        place: `PROJECT` or `ENTITY/PROJECT`.

    Raises:
        InputError: If its library is not installed, or the place is written otherwise.
    """

    def __init__(self, place: str) -> None:
        match = re.fullmatch(r"(?:([\w.-]+)/)?([\w.-]{1,128})", place)
        if match is None:
            raise InputError(f"--to wandb:{place}: write it as wandb:PROJECT or wandb:ENTITY/PROJECT")
        os.environ.update(_ENVIRONMENT)
        self._library = library("wandb")
        self._entity, self._project = match.groups()
        self._folder = Path(os.environ.get("WANDB_DIR") or ".").absolute() / "wandb"
        self.next = f"to upload it: wandb sync {self._folder}/offline-run-*"

    def write(self, curve: Curve) -> bool:
        """See `Tracker.write`: a folder is moved to its place when it is complete."""
        place = hashing.of_text(f"{self._entity}/{self._project}/{curve.name}")[:12]
        name = f"{place}{curve.digest[:12]}"
        former = list(self._folder.glob(f"offline-run-*-{place}*"))
        same = [each for each in former if each.name.endswith(name)]
        if not same:
            self._write(curve, name)
        for each in former:
            if each not in same:
                shutil.rmtree(each)
        return not same

    def close(self) -> None:
        """See `Tracker.close`."""
        self._library.teardown()

    def _write(self, curve: Curve, name: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._folder))
        except OSError as error:
            raise InputError(f"--to wandb: {self._folder} cannot be written: {error.strerror}; set WANDB_DIR") from None
        try:
            run = self._library.init(
                entity=self._entity,
                project=self._project,
                dir=scratch,
                id=name,
                name=curve.name,
                group=curve.run,
                config=dict(curve.settings),
                mode="offline",
                reinit="create_new",
                settings=self._library.Settings(**_QUIET),
            )
            for step in curve.steps:
                run.log(dict(step.values), step=step.number)
            run.summary.update(dict(curve.figures))
            run.finish()
            (made,) = (scratch / "wandb").glob(f"offline-run-*-{name}")
            made.rename(self._folder / made.name)
        finally:
            shutil.rmtree(scratch)


def open(place: str) -> Wandb:
    """The place; raises as `Wandb`."""
    return Wandb(place)
