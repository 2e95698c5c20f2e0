"""The server that `tuner up` starts: a busy connection's cursor, once garbage, does not stop the event loop."""

import subprocess
import sys
from pathlib import Path

import pytest

GARBAGE = """
import sqlite3, sys, threading, time, weakref
from deployments.server import collect_beside

class Cycle:
    pass

if sys.argv[2] == "beside":
    collect_beside(0.005)  # of everything, every 0.3 s
path = sys.argv[1]
writer = sqlite3.connect(path, isolation_level=None)
writer.executescript("create table numbers (n); insert into numbers values (1), (2)")
other = sqlite3.connect(path, timeout=4, isolation_level=None, check_same_thread=False)
cursor = other.execute("values (1), (2)")
cursor.fetchone()
cycle = Cycle()
cycle.itself, cycle.cursor = cycle, cursor
known = weakref.ref(cycle)

writer.execute("begin immediate")
waiting = threading.Thread(target=other.execute, args=("update numbers set n = 3",))
waiting.start()
time.sleep(0.2)  # it waits for the writer now
del cursor, cycle
started = time.monotonic()
kept = [[number] for number in range(300_000)]  # so many that the collector runs, if it runs here
time.sleep(1.0)
print(time.monotonic() - started, known() is None)
writer.execute("commit")
waiting.join()
"""


@pytest.mark.parametrize("where", ["here", "beside"])
def test_a_busy_connections_cursor_is_freed_beside_the_caller(where: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", GARBAGE, str(tmp_path / "numbers.db"), where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    waited, freed = float(done.stdout.split()[0]), done.stdout.split()[1]
    assert freed == "True"
    assert waited < 3 if where == "beside" else waited > 3  # the hazard is real, and gone
