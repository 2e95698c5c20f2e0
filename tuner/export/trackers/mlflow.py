"""MLflow: one experiment for each run of ours, and in it a run for each curve.

https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tuner.errors import InputError
from tuner.export.trackers.curves import Curve
from tuner.export.trackers.extras import library

FINISHED = "FINISHED"
METRICS_AT_ONCE = 1_000
PARAMS_AT_ONCE = 100
"""Limits of a request."""

SUBJECT, DIGEST = "tuner.subject", "tuner.digest"
"""Tags of the runs that we write, and by which we find them."""

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # else it reports its use to its makers
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # by default it retries for four minutes
}


class MLflow:
    """A store of MLflow.

    Args:
        place: A folder, which gets a database; or the URI of a server or a database.

    Raises:
        InputError: If MLflow is not installed, the place cannot be used, or it holds a password.
    """

    def __init__(self, place: str) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._entities = library("mlflow", "mlflow.entities")
        self._errors = library("mlflow", "mlflow.exceptions")
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._files: str | None = None
        uri = place
        if ":" not in place:
            folder = Path(place).expanduser().absolute()
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"--to mlflow:{place}: cannot be made: {error.strerror}") from None
            uri, self._files = f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts"
        elif urlsplit(place).password is not None:
            raise InputError(
                "--to mlflow:URI: holds a password, which would end up in logs; leave it out, and set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or what your database reads"
            )
        self._place = place
        served = urlsplit(uri).scheme in ("http", "https")
        self.next = f"to look at it: {'' if served else 'mlflow server --backend-store-uri '}{uri}"
        with self._explained():
            self._client = library("mlflow").MlflowClient(tracking_uri=uri)

    def write(self, curve: Curve) -> bool:
        """See `Tracker.write`: a run that is not finished, or has another digest, is deleted."""
        with self._explained():
            experiment = self._experiment(curve.run)
            found = self._client.search_runs([experiment], f"tags.`{SUBJECT}` = '{curve.subject}'")
            same = [each for each in found if each.info.status == FINISHED and each.data.tags[DIGEST] == curve.digest]
            for each in found:
                if each not in same:
                    self._client.delete_run(each.info.run_id)
            if not same:
                self._write(curve, experiment)
        return not same

    def close(self) -> None:
        """See `Tracker.close`."""

    def _experiment(self, name: str) -> str:
        if found := self._client.get_experiment_by_name(name):
            return found.experiment_id
        return self._client.create_experiment(name, artifact_location=self._files)

    def _write(self, curve: Curve, experiment: str) -> None:
        first = curve.steps[0].time if curve.steps else curve.time
        tags = {SUBJECT: curve.subject, DIGEST: curve.digest}
        run = self._client.create_run(experiment, start_time=_ms(first), tags=tags, run_name=curve.subject)
        metrics = [
            self._entities.Metric(name, value, _ms(step.time), step.number)
            for step in (*curve.steps, curve.last)
            for name, value in step.values.items()
        ]
        params = [self._entities.Param(name, str(value)) for name, value in curve.settings.items()]
        for begin in range(0, len(params), PARAMS_AT_ONCE):
            self._client.log_batch(run.info.run_id, params=params[begin : begin + PARAMS_AT_ONCE])
        for begin in range(0, len(metrics), METRICS_AT_ONCE):
            self._client.log_batch(run.info.run_id, metrics=metrics[begin : begin + METRICS_AT_ONCE])
        self._client.set_terminated(run.info.run_id, FINISHED, _ms(curve.time))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors.MlflowException as error:
            words = " ".join(str(error).split())[:300]
            raise InputError(f"--to mlflow:{self._place}: MLflow refused ({words})") from None


def _ms(seconds: float) -> int:
    return round(1000 * seconds)


def open(place: str) -> MLflow:
    """The place; raises as `MLflow`."""
    return MLflow(place)
