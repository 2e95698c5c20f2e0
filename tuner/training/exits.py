"""How the child says why it ended: an exit code for the kind, and a last message for the words."""

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

_MEMORY_WORDS = ("can't allocate memory", "out of memory", "cannot allocate memory")


def guarded(work: Callable[[], None]) -> tuple[int, str]:
    """Runs the work of a child.

    Returns:
        The exit code, and one line that says what went wrong (empty if nothing did). A stack trace of what nobody
        foresaw goes to stderr, which is the log.
    """
    try:
        work()
    except InputError as error:
        return BAD_INPUT, str(error)
    except StageError as error:
        return STAGE, str(error)
    except MemoryError as error:
        return OUT_OF_MEMORY, f"out of memory: {error}"
    except RuntimeError as error:
        # torch.OutOfMemoryError is one; the allocator of the CPU raises a plain RuntimeError.
        traceback.print_exc()
        code = OUT_OF_MEMORY if any(words in str(error).lower() for words in _MEMORY_WORDS) else CRASHED
        return code, _line(error)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, OSError) as error:
        traceback.print_exc()
        return CRASHED, _line(error)
    return DONE, ""


def farewell(message: str) -> str:
    """The last line to the parent."""
    return json.dumps({"error": message}) + "\n"


def _line(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words[:500]}"
