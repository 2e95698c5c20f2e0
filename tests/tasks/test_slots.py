"""Stages take turns at computing with models in one process."""

import threading

from tasks.slots import slot


def test_tasks_of_a_stage_compute_together_and_stages_in_turn() -> None:
    first, together = threading.Event(), threading.Barrier(2, timeout=30)
    log: list[str] = []

    def candidates() -> None:
        with slot("candidates"):
            first.set()
            together.wait()  # breaks unless both compute at once
            log.append("candidates")

    def evaluate() -> None:
        first.wait(30)
        with slot("evaluate"):
            log.append("evaluate")

    def curate() -> None:
        with slot("curate"):
            log.append("curate")

    one = threading.Thread(target=candidates)
    one.start()
    first.wait(30)
    other = threading.Thread(target=evaluate)
    other.start()
    curate()  # which has no model, waits for nobody
    assert log == ["curate"]
    two = threading.Thread(target=candidates)
    two.start()
    for thread in (one, two, other):
        thread.join(30)
    assert log == ["curate", "candidates", "candidates", "evaluate"]


def test_a_stage_that_failed_lets_others_compute() -> None:
    try:
        with slot("train"):
            raise ValueError
    except ValueError:
        pass
    with slot("evaluate"):
        pass
