"""Checks of a pipeline wherever it computes: equal data, adapters equal within tolerance, trained at the same time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy
import psutil
from safetensors.numpy import load_file

from tests.deployments.processes import PATIENCE, family
from tests.e2e.conftest import Finished, artifacts_of, data_bytes, manifests
from tests.trainings import trainings


def adapter(store: Path, manifest: dict) -> dict[str, numpy.ndarray]:
    """The weights of an adapter."""
    folder = store / "artifacts" / "train" / manifest["fingerprint"] / manifest["attempt"]
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def assert_same_results(finished: Finished, store: Path) -> None:
    """Checks that a run on another placement made the same artifacts as `finished`."""
    expected, actual = manifests(finished.store), artifacts_of(store, "words")
    assert set(expected) == set(actual)
    assert data_bytes(expected) == data_bytes(actual)
    trained = [key for key in expected if key[0] == "train"]
    assert len(trained) == 2
    for key in trained:
        weights = adapter(store, actual[key])
        for name, tensor in adapter(finished.store, expected[key]).items():
            numpy.testing.assert_allclose(tensor, weights[name], atol=1e-3, err_msg=name)


@contextmanager
def two_trainings_at_once(home: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Suspends the first training that a block starts until a second one runs at the same time.

    Raises:
        AssertionError: If there is no second one within `patience` seconds.
    """
    two_run, ended = Event(), Event()

    def hold() -> None:
        suspended: list[psutil.Process] = []
        latest = time.monotonic() + patience
        while not (two_run.is_set() or ended.wait(0.1) or time.monotonic() > latest):
            training = trainings(home)
            if len(training) > 1:
                two_run.set()
            elif training and not suspended:
                suspended = training
                for each in family(suspended[0]):
                    each.suspend()
        for process in suspended:
            for each in family(process):
                each.resume()

    holder = Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        ended.set()
        holder.join()
    assert two_run.is_set(), "the adapters were not trained at the same time"
