"""The sweep of the default student: LoRA at eight rates and two ranks, every trial trained to its end.

Every trial is trained as the stage `train` does it, and scored where a sweep in legs would look. Each is kept as a line
of JSON in `cache/racing` below TUNER_HOME as soon as it is trained, so that a recording that was killed goes on.
"""

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import rates
from benchmarks.points import code_version
from benchmarks.racing.curves import Curves
from tuner import hashing
from tuner.artifacts.fingerprint import canonical_json
from tuner.models import loading, precision
from tuner.settings import settings
from tuner.training import tuning, worker
from tuner.training.exits import DivergedError
from tuner.training.job import Job
from tuner.training.methods import METHODS, Method

NAME = "SmolLM2-135M, LoRA"
LOOKS = (1 / 8, 1 / 4, 1 / 2, 3 / 4, 1)
"""The shares of all steps after which the trials are scored."""
RATES = (1.55e-3, 4.2e-3, 5.8e-4, 1.1e-2, 2.2e-4, 3e-5, 3e-2, 8e-5)
"""From the middle outwards, so that a recording that is not complete has the best."""
RANKS = (16, 4)
TRAINED, TUNED, MAX_LENGTH = 48, 40, 72
EPOCHS, BATCH_SIZE = 2, 4
SEED = 7


class Recorder(tuning.Tuning):
    """Keeps the loss of every row instead of the mean."""

    looks: list[dict[str, Any]]
    row_tokens: list[int]

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Scores the untrained student."""
        type(self).looks = []
        type(self).row_tokens = []
        self._look(0)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Scores after the last step of a leg."""
        if state.global_step in {round(share * state.max_steps) for share in LOOKS}:
            self._look(state.global_step)

    def _look(self, step: int) -> None:
        model: Any = self.trainer.model
        rows = self.measure()
        model.train()
        self.row_tokens[:] = rows["tokens"].to_pylist()
        self.looks.append({"step": step, "tokens": self.trainer.tokens, "losses": rows["loss_sum"].to_pylist()})


def record(file: Path) -> Curves:
    """The curves of the sweep; only trials that are not known are trained.

    Args:
        file: Rows in any layout that `tuner curate` reads.
    """
    trials = [_trial(rate, rank) for rank in RANKS for rate in RATES]
    with tempfile.TemporaryDirectory() as folder:
        data, tuned = rates.write_rows(file, TRAINED, TUNED, Path(folder), MAX_LENGTH)
        found = [_curve(trial, data, tuned) for trial in trials]
    return _curves(trials, found)


def _trial(rate: float, rank: int) -> Method:
    return METHODS["lora"].model_validate(
        {
            "method": "lora",
            "learning_rate": rate,
            "r": rank,
            "epochs": EPOCHS,
            "batch_size": BATCH_SIZE,
            "max_length": MAX_LENGTH,
        }
    )


def _curve(trial: Method, data: Path, tuned: Path) -> dict[str, Any]:
    """The curve of a trial, from the cache or a training."""
    point = {
        "models": rates.MODELS.model_dump(mode="json"),
        "device": loading.device(),
        "dtype": str(precision.training()),
        "rows": hashing.of_text("".join(map(hashing.of_file, (data, tuned)))),
        "settings": trial.identity(),
        "seed": SEED,
        "looks": LOOKS,
        "version": code_version(type(trial)),
    }
    key = hashing.of_text(canonical_json(point))
    known = settings().folder("cache/racing") / "curves.jsonl"
    for line in known.read_text().splitlines() if known.exists() else ():
        if line.endswith("}") and (curve := json.loads(line))["key"] == key:
            return curve
    print(f"{trial.size}, rate {trial.learning_rate:g}", file=sys.stderr, flush=True)
    curve = {"key": key, **_trained(trial, data, tuned)}
    with known.open("a") as lines:
        lines.write(json.dumps(curve) + "\n")
    return curve


def _trained(trial: Method, data: Path, tuned: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tuning, "Tuning", Recorder):
        job = Job(
            adapter=trial.name(),
            settings=trial,
            models=rates.MODELS,
            seed=SEED,
            data=data,
            tuning=tuned,
            output=Path(folder) / "output",
            checkpoints=Path(folder),
        )
        job.output.mkdir()
        diverged = False
        try:
            worker.train(job, io.StringIO())
        except DivergedError:
            diverged = True
    return {"looks": Recorder.looks, "row_tokens": Recorder.row_tokens, "diverged": diverged}


def _curves(trials: list[Method], found: list[dict[str, Any]]) -> Curves:
    tokens = np.array(found[0]["row_tokens"], dtype=np.float64)
    losses = np.full((len(trials), 1 + len(LOOKS), tokens.size), np.nan)
    for place, curve in enumerate(found):
        for look, each in enumerate(curve["looks"]):
            losses[place, look] = each["losses"]
    names = tuple(f"{trial.size}, rate {trial.learning_rate:g}" for trial in trials)
    return Curves(NAME, names, (0.0, *LOOKS), tokens, losses)
