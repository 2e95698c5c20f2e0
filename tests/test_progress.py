"""Progress events reach every listener while it is subscribed."""

import threading

import pytest

from tuner.progress import Event, Lines, Pace, emit, listening


def test_every_listener_gets_every_event_in_order() -> None:
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
    received: list[Event] = []
    with pytest.raises(RuntimeError), listening(received.append):
        raise RuntimeError
    emit(Event("generate"))
    assert received == []


def test_events_of_all_threads_are_received() -> None:
    received: list[Event] = []
    with listening(received.append):
        threads = [
            threading.Thread(target=lambda i=i: [emit(Event("train", str(i), done=n)) for n in range(50)])
            for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(4):
        assert [event.done for event in received if event.label == str(i)] == list(range(50))


def test_a_listener_may_subscribe_another() -> None:
    late: list[Event] = []

    def handle(event: Event) -> None:
        with listening(late.append):
            if event.stage == "generate":
                emit(Event("curate"))

    with listening(handle):
        emit(Event("generate"))
    # From the nested event, which both listeners get.
    assert {event.stage for event in late} == {"curate"}


def test_a_pace_is_measured_from_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace()
    assert pace.left(0.5) is None
    now = 1.0
    assert pace.left(0.6) is None  # too soon for an estimate
    now = 10.0
    assert pace.left(0.75) == pytest.approx(10)
    now = 1000.0
    assert pace.left(0.76) == pytest.approx(10)  # slower: the last estimate stays
    assert pace.left(1.0) == 0


def test_a_training_has_a_line_for_its_first_and_last_step_and_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    lines, output = Lines(), []
    for step in range(1, 41):
        now += 0.6
        figures = {"loss": 2.0 - step / 100, "tokens/s": 81.0}
        output.append(lines.of(Event("train", "lora", done=step, total=40, figures=figures, unit="step")))
    assert [line for line in output if line] == [
        "step 1 of 40, loss 1.99, 81 tokens/s",
        "step 18 of 40, loss 1.82, 81 tokens/s, 0:13 left",
        "step 35 of 40, loss 1.65, 81 tokens/s, 0:03 left",
        "step 40 of 40, loss 1.6, 81 tokens/s",
    ]


def test_a_note_is_printed_at_once_and_a_short_stage_has_no_lines() -> None:
    lines = Lines()
    note = "resumes from step 4 of 40"
    assert lines.of(Event("train", "lora", done=4, total=40, note=note)) == note
    assert [lines.of(Event("generate", "shard 1", done=done, total=8)) for done in range(9)] == [None] * 9
