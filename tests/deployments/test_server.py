"""The server of `tuner up`: where it requires a password, and that garbage collection does not block it."""

import subprocess
import sys
from pathlib import Path

import pytest
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings

from deployments.command import command
from deployments.server import listen, serve

GARBAGE = """
import sqlite3, sys, threading, time, weakref
from deployments.server import collect_in_thread

class Cycle:
    pass

if sys.argv[2] == "beside":
    collect_in_thread(0.005)  # a full collection every 0.3 s
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
    assert waited < 3 if where == "beside" else waited > 3  # the problem is real, and solved


@pytest.mark.parametrize("password", [None, ""])
@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_nothing_but_loopback_is_served_without_a_password(
    host: str, password: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("PREFECT_UI_API_URL", "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"):  # which it sets
        monkeypatch.setenv(name, "")
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: password}), pytest.raises(SystemExit) as left:
        command(lambda: serve(listen(host, 0)))
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "tuner: --host 0.0.0.0: anyone who can reach this server can run its flows; set a password, "
        "PREFECT_SERVER_API_AUTH_STRING=user:password, or serve on 127.0.0.1\n"
    )


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("nowhere.invalid", 4200), ("192.0.2.1", 4200)])
def test_an_address_that_cannot_be_used_is_one_line(host: str, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command(lambda: serve(listen(host, port)))
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tuner: --host {host} --port {port}: ")
