"""The relaxed garbage collector runs rarely, still frees cycles, and is skipped at exit."""

import subprocess
import sys

PROGRAM = """
import atexit, gc, sys, weakref
from tuner import interpreter

def report():
    print(gc.get_freeze_count() > 10_000)

atexit.register(report)  # registered first, so run last
interpreter.relax_garbage_collection()
collections = 0
def count(phase, info):
    global collections
    collections += phase == "stop"
gc.callbacks.append(count)
kept = [[number] for number in range(100_000)]
print(collections)

class Cycle: pass
lost = Cycle()
lost.itself = lost
reference = weakref.ref(lost)
del lost
more = [[number] for number in range(100_000)]
print(reference() is None)
"""


def test_collections_are_rare_free_cycles_and_are_skipped_at_exit() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    collections, freed, frozen = done.stdout.split()
    assert int(collections) <= 20  # 143 or more with Python's defaults
    assert (freed, frozen) == ("True", "True")


def test_hints_of_libraries_are_left_out() -> None:
    program = (
        "import logging; from tuner import interpreter; interpreter.leave_out_hints(); "
        "logging.getLogger('bitsandbytes.backends').warning('install more')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
