"""What is kept of finished completions, so that a process that is killed costs only the requests in flight."""

import json
import os
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.generation.asked import assert_right, complete, wait
from tests.generation.served import Served, requests
from tests.warm import Warm
from tuner.generation.engines import Request, journal
from tuner.generation.engines.completions import CompletionsEngine
from tuner.generation.sources import Sampling
from tuner.settings import settings


def test_what_an_abandoned_call_has_finished_is_not_asked_again(
    server: Served, opened: Callable[..., CompletionsEngine]
) -> None:
    first, found = opened(server, size=4), {}
    with closing(first.complete(deque(requests(40)), lambda tokens: None)) as going:
        for request, completion in going:
            found[request.row] = completion
            if len(found) == 15:
                break
    wait(lambda: not any(each.in_flight for each in first._replicas.all), "requests end")
    again = complete(opened(server), requests(40))
    assert again.items() >= found.items() and len(again) == 40
    assert 40 <= len(server.asked) <= 40 + 4


def test_a_killed_process_costs_only_what_was_in_flight(
    server: Served, opened: Callable[..., CompletionsEngine], tiny: Path, warm: Warm
) -> None:
    server.seconds = 0.05
    code = (
        "import sys\nfrom collections import deque\nfrom tests.generation.served import requests\n"
        "from tuner.generation.engines import open_engine\nfrom tuner.settings import settings\n"
        f"engine = open_engine({str(tiny)!r}, settings())\n"
        "for request, _ in engine.complete(deque(requests(60)), lambda tokens: None):\n"
        "    print(request.row, flush=True)\n"
    )
    environment = {"TUNER_ENGINE": "completions", "TUNER_ENDPOINT": server.url, "TUNER_BATCH_SIZE": "4"}
    child = subprocess.Popen(
        [warm.python, "-c", code],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    rows = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    child.wait()
    rows += [int(line) for line in child.stdout.read().split("\n") if line.strip()]
    done = len(server.asked)
    assert 20 <= done < 60
    server.seconds = 0.0
    found = complete(opened(server), requests(60))
    assert_right(found, server, 60)
    asked = server.prompts()
    assert sum(asked.values()) <= 60 + 8  # those in flight at the kill, and those sent meanwhile
    assert all(asked[f"<|im_start|>row {row}"] == 1 for row in rows)


def test_a_torn_line_is_left_out(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    whole = complete(opened(server), requests(5))
    (path,) = settings().folder("journals").iterdir()
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], lines[3][:40]]))
    assert complete(opened(server), requests(5)) == whole
    assert len(server.asked) == 7


def test_it_holds_for_the_same_requests_alone(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    complete(opened(server), requests(5))
    other = [Request(each.row, 0, each.seed, each.prompt, Sampling(max_tokens=9)) for each in requests(5)]
    complete(opened(server), other)
    assert len(server.asked) == 10


def test_old_files_are_removed(
    server: Served, opened: Callable[..., CompletionsEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(server)
    complete(engine, requests(3))
    with closing(engine.complete(deque(requests(4)), lambda tokens: None)) as going:
        next(going)
    folder = settings().folder("journals")
    assert sorted(path.suffix for path in folder.iterdir()) == [".finished", ".jsonl"]
    monkeypatch.setattr(journal, "FINISHED_SECONDS", -1.0)
    complete(opened(server), requests(4))
    assert sorted(path.suffix for path in folder.iterdir()) == [".finished", ".jsonl"]
    monkeypatch.setattr(journal, "UNFINISHED_SECONDS", -1.0)
    complete(opened(server), requests(1))
    assert [path.suffix for path in folder.iterdir()] == [".finished"]


def test_it_holds_no_prompt_and_no_key(server: Served, opened: Callable[..., CompletionsEngine]) -> None:
    server.key = "sk-hidden"
    complete(opened(server, key="sk-hidden"), requests(3))
    (path,) = settings().folder("journals").iterdir()
    assert "sk-hidden" not in path.read_text() and "row 1" not in path.read_text()
    assert set(json.loads(path.read_text().splitlines()[0])) == {"key", "text", "tokens", "finish", "seeded"}
