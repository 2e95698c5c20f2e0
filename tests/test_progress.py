"""Progress reaches everyone who listens, while they listen."""

import threading

import pytest

from tuner.progress import Event, emit, listening


def test_every_listener_hears_every_event_in_order() -> None:
    one: list[Event] = []
    other: list[Event] = []
    with listening(one.append):
        emit(Event("generate", done=1, total=2))
        with listening(other.append):
            emit(Event("generate", done=2, total=2))
        emit(Event("curate"))
    emit(Event("split"))
    assert [(event.stage, event.done) for event in one] == [("generate", 1), ("generate", 2), ("curate", 0)]
    assert [event.done for event in other] == [2]


def test_without_a_listener_nothing_happens() -> None:
    emit(Event("generate"))


def test_a_block_that_fails_stops_listening() -> None:
    heard: list[Event] = []
    with pytest.raises(RuntimeError), listening(heard.append):
        raise RuntimeError
    emit(Event("generate"))
    assert heard == []


def test_events_of_all_threads_are_heard() -> None:
    heard: list[Event] = []
    with listening(heard.append):
        threads = [
            threading.Thread(target=lambda i=i: [emit(Event("train", str(i), done=n)) for n in range(50)])
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(4):
        assert [event.done for event in heard if event.label == str(i)] == list(range(50))


def test_a_listener_may_start_to_listen_while_it_hears() -> None:
    late: list[Event] = []

    def hear(event: Event) -> None:
        with listening(late.append):
            if event.stage == "generate":
                emit(Event("curate"))

    with listening(hear):
        emit(Event("generate"))
    # Once as the first to hear, once more on hearing its own event.
    assert {event.stage for event in late} == {"curate"}
