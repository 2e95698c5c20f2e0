"""Python's garbage collector, tuned for a process that imports large libraries, whose objects are never freed."""

import atexit
import gc

THRESHOLDS = (10_000, 20, 100)
"""Thresholds for `gc.set_threshold`. With the defaults (700, 10, 10) an import of torch, transformers and peft spends a
fifth of its time in the collector."""


def relax_garbage_collection() -> None:
    """Makes collections rare, and skips the one at exit.

    This saves a third of the processor time of a process that imports large libraries and does little else.
    """
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)  # frozen objects are not collected at exit
