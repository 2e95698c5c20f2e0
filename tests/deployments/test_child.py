"""A module run as a child: it runs as with `python -m`, until its standard input closes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from deployments import child
from deployments.child import as_child

STUBBORN = """
import signal, sys, time
from deployments import child
from tuner import parent

signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
child.PATIENCE_SECONDS = 0.3
parent.follow(child._end)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def started(*command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_module_runs_as_it_would_by_itself(tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text('{"a":1}')
    alive, other = os.pipe()
    command = as_child(sys.executable, "json.tool", "--compact", str(given))
    done = subprocess.run(command, stdin=alive, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, '{"a":1}\n', "")
    command[-1] = str(tmp_path / "absent.json")
    assert subprocess.run(command, stdin=alive, capture_output=True, timeout=60).returncode != 0
    for end in (alive, other):
        os.close(end)


def test_a_child_gets_sigterm() -> None:
    with started(*as_child(sys.executable, "http.server", "0", "--bind", "127.0.0.1")) as server:
        assert server.stdin and server.poll() is None
        server.stdin.close()
        assert server.wait(60) == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_ended() -> None:
    with started(sys.executable, "-c", STUBBORN) as stubborn:
        assert stubborn.stdin and stubborn.stdout
        assert stubborn.stdout.readline() == "ready\n"
        stubborn.stdin.close()
        assert stubborn.stdout.readline() == "asked\n"
        assert stubborn.wait(60) == child.ORPHANED
