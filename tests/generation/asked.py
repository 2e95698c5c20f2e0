"""What tests ask of an engine on servers."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from tests.generation.served import Served, text_of
from tuner.generation.engines import Completion, Request
from tuner.generation.engines.completions import CompletionsEngine

LIMIT_SECONDS = 60.0
"""A limit for waits, with a margin for a machine four times slower."""


def complete(engine: CompletionsEngine, wanted: Sequence[Request]) -> dict[int, Completion]:
    """The completions by row, each of which must come once."""
    found: dict[int, Completion] = {}
    for request, completion in engine.complete(deque(wanted), lambda tokens: None):
        assert request.row not in found
        found[request.row] = completion
    return found


def wait(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def assert_right(found: dict[int, Completion], server: Served, count: int) -> None:
    """Every row has what the server says to its prompt with its seed."""
    assert sorted(found) == list(range(count))
    said = {body["prompt"]: text_of(body["prompt"], body.get("seed")) for body in server.asked}
    assert all(found[row].text == said[f"<|im_start|>row {row}"] for row in found if f"<|im_start|>row {row}" in said)
