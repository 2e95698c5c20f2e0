"""What holds wherever a pipeline computes: the same bytes of data, adapters the same to tolerance, trained at once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy
import psutil
from safetensors.numpy import load_file

from tests.deployments.processes import PATIENCE, family
from tests.e2e.conftest import Finished, artifacts_of, data_bytes, manifests, trainings


def adapter(store: Path, manifest: dict) -> dict[str, numpy.ndarray]:
    """The weights of an adapter."""
    folder = store / "artifacts" / "train" / manifest["fingerprint"] / manifest["attempt"]
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def assert_alike(finished: Finished, store: Path) -> None:
    mine, others = manifests(finished.store), artifacts_of(store, "words")
    assert set(mine) == set(others)
    assert data_bytes(mine) == data_bytes(others)
    trained = [key for key in mine if key[0] == "train"]
    assert len(trained) == 2
    for key in trained:
        weights = adapter(store, others[key])
        for name, tensor in adapter(finished.store, mine[key]).items():
            numpy.testing.assert_allclose(tensor, weights[name], atol=1e-3, err_msg=name)


@contextmanager
def two_trainings_at_once(home: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds the first training that a block begins until there is a second beside it.

    Raises:
        AssertionError: If there is none within the patience, in seconds.
    """
    met, over = Event(), Event()

    def hold() -> None:
        held: list[psutil.Process] = []
        latest = time.monotonic() + patience
        while not (met.is_set() or over.wait(0.1) or time.monotonic() > latest):
            training = trainings(home)
            if len(training) > 1:
                met.set()
            elif training and not held:
                held = training
                for each in family(held[0]):
                    each.suspend()
        for process in held:
            for each in family(process):
                each.resume()

    holding = Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        over.set()
        holding.join()
    assert met.is_set(), "the adapters were not trained at the same time"
