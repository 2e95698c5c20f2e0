"""Settings of a process that imports large libraries: Python's garbage collector, and what they say unasked."""

import atexit
import gc
import logging
import sys

THRESHOLDS = (10_000, 20, 100)
"""Thresholds for `gc.set_threshold`. With the defaults (700, 10, 10) an import of torch, transformers and peft spends a
fifth of its time in the collector."""


def relax_garbage_collection() -> None:
    """Makes collections rare, and skips the one at exit.

    This saves a third of the processor time of a process that imports large libraries and does little else.
    """
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)  # frozen objects are not collected at exit


def leave_out_hints() -> None:
    """Leaves out warnings about packages that would make a library faster, which nobody asked for."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # imported by PEFT, whatever is trained


def leave_out_bitsandbytes() -> None:
    """Keeps PEFT from importing bitsandbytes, and with it torch's compiler, which takes seconds."""
    # None marks a module as not importable.
    sys.modules["bitsandbytes"] = None  # pyright: ignore[reportArgumentType]
