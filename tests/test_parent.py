"""A child ends with its parent, however the parent ended."""

import signal
import subprocess
import sys

import psutil
import pytest

from tests.deployments.processes import until

CHILD = """
import os, time
from tuner import parent

parent.follow(lambda: os._exit(0))
print(os.getpid(), flush=True)
time.sleep(600)
"""

PARENT = f"""
import os, subprocess, sys, time

alive, _ = os.pipe()
subprocess.Popen([sys.executable, "-c", {CHILD!r}], stdin=alive)
if sys.argv[1:] and os.fork() == 0:  # the fork also holds our end of the pipe
    os.close(1)
    time.sleep(20)
    os._exit(0)
sys.stdin.read()
"""


@pytest.mark.parametrize("forks", [False, True])
@pytest.mark.parametrize("sign", [None, signal.SIGKILL])
def test_a_child_ends_with_its_parent(forks: bool, sign: signal.Signals | None) -> None:
    command = [sys.executable, "-c", PARENT, *(["forks"] if forks else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin and parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        if sign:
            parent.send_signal(sign)
        else:
            parent.stdin.close()
        parent.wait()
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child is gone", 10)
