"""Training processes are forked from one server, and started afresh where it cannot fork."""

import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.deployments.processes import PATIENCE, until
from tests.training.conftest import MakeJob
from tests.trainings import trainings
from tests.warm import Warm
from tuner.progress import Event, listening
from tuner.training import children, process
from tuner.training.metrics import Trained


@pytest.fixture(autouse=True)
def servers(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[bool, children.Server]]:
    """Servers of this test alone."""
    monkeypatch.setattr(sys, "executable", warm.python)
    own: dict[bool, children.Server] = {}
    monkeypatch.setattr(children, "_servers", own)
    yield own
    for server in own.values():
        server.end()


def parents(make_job: MakeJob, name: str, **options: object) -> tuple[Trained, psutil.Process]:
    """Trains; returns the metrics, and the parent of the training process."""
    job = make_job(name, epochs=1, **options)
    found: list[psutil.Process] = []

    def look(event: Event) -> None:
        if not found:
            training = trainings(job.checkpoints)[-1]  # the program that asks for a fork holds the log, too
            parent = training.parent()
            assert parent is not None
            found.append(parent)

    with listening(look):
        return process.train(job, PATIENCE), found[0]


def test_trainings_are_forked_from_one_server(make_job: MakeJob, servers: object) -> None:
    first, server = parents(make_job, "first")
    second, same = parents(make_job, "second")
    assert server == same
    assert server != psutil.Process()
    assert first.train_loss == second.train_loss


def test_a_quantized_training_has_a_server_with_bitsandbytes(make_job: MakeJob, servers: object) -> None:
    pytest.importorskip("bitsandbytes")
    _, plain = parents(make_job, "plain")
    _, other = parents(make_job, "quantized", quantization="nf4")
    assert plain != other


def test_a_training_ends_with_its_server_and_the_next_gets_another(make_job: MakeJob, servers: object) -> None:
    job = make_job("lost", epochs=1000)

    def kill(event: Event) -> None:
        for training in trainings(job.checkpoints):
            parent = training.parent()
            if parent is not None and parent != psutil.Process():
                parent.kill()

    with listening(kill), pytest.raises(process.TrainingKilledError) as caught:
        process.train(job, PATIENCE)
    assert caught.value.retryable
    until(lambda: not trainings(job.checkpoints), "the training has ended", PATIENCE)
    metrics, _ = parents(make_job, "next")
    assert metrics.steps == 3


def test_a_server_that_has_ended_for_want_of_work_is_replaced(make_job: MakeJob, servers: dict[bool, object]) -> None:
    _, server = parents(make_job, "first")
    server.kill()
    server.wait()
    _, other = parents(make_job, "second")
    assert server != other


def test_without_a_server_a_training_is_started_afresh(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    metrics, parent = parents(make_job, "alone")
    assert metrics.steps == 3
    assert "tuner.training.forking" not in parent.cmdline()
