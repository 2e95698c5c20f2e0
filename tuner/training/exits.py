"""How the child reports why it ended: an exit code and a last message."""

import json
import traceback
from collections.abc import Callable

from tuner.errors import InputError, StageError

DONE = 0
BAD_INPUT = 2
OUT_OF_MEMORY = 3
STAGE = 4
CRASHED = 5
ORPHANED = 6
DIVERGED = 7

_OUT_OF_MEMORY_TEXTS = ("can't allocate memory", "out of memory", "cannot allocate memory")


class DivergedError(StageError):
    """The loss is no longer a finite number."""


def guarded(work: Callable[[], None]) -> tuple[int, str]:
    """Runs the work of a child and turns errors into an exit code.

    Returns:
        The exit code, and the error in one line (empty if there is none). The stack trace of an unexpected error goes
        to stderr, which is the log.
    """
    try:
        work()
    except InputError as error:
        return BAD_INPUT, str(error)
    except DivergedError as error:
        return DIVERGED, str(error)
    except StageError as error:
        return STAGE, str(error)
    except MemoryError as error:
        return OUT_OF_MEMORY, f"out of memory: {error}"
    except RuntimeError as error:
        # torch.OutOfMemoryError is a RuntimeError; the CPU allocator raises a plain one.
        traceback.print_exc()
        code = OUT_OF_MEMORY if any(text in str(error).lower() for text in _OUT_OF_MEMORY_TEXTS) else CRASHED
        return code, _line(error)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, OSError) as error:
        traceback.print_exc()
        return CRASHED, _line(error)
    return DONE, ""


def error_message(message: str) -> str:
    """The last message to the parent, as a line of JSON."""
    return json.dumps({"error": message}) + "\n"


def _line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:500]}"
