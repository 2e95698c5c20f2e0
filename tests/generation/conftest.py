"""Servers of these tests, and engines on them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.generation.served import Served
from tuner.generation.engines import completions, endpoint, replicas
from tuner.generation.engines.completions import CompletionsEngine
from tuner.settings import Settings


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses, since the servers of these tests recover at once."""
    monkeypatch.setattr(replicas, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(replicas, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(completions, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(endpoint, "OPEN_SECONDS", 0.5)


@pytest.fixture
def serve(brief: None) -> Iterator[Callable[..., Served]]:
    """A function that starts a server."""
    started: list[Served] = []

    def start(*arguments: Any) -> Served:
        started.append(Served(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.die()


@pytest.fixture
def server(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture
def opened(tiny: Path) -> Iterator[Callable[..., CompletionsEngine]]:
    """A function that opens an engine on servers."""
    found: list[CompletionsEngine] = []

    def open_(*servers: Served, size: int = 8, key: str = "") -> CompletionsEngine:
        urls = ",".join(each.url for each in servers)
        chosen = Settings(engine="completions", endpoint=urls, batch_size=size, endpoint_key=key)  # pyright: ignore[reportArgumentType]
        found.append(CompletionsEngine(str(tiny), chosen))
        return found[-1]

    yield open_
    for engine in found:
        engine.close()
