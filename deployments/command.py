"""Runs commands: an error for the user is one line on standard error, and an exit code."""

import sys
from collections.abc import Callable

from tuner.errors import TunerError


def command(*steps: Callable[[], None]) -> None:
    """Runs steps one after another, and exits with an exit code if one of them fails."""
    try:
        for step in steps:
            step()
    except TunerError as error:
        sys.stderr.write(f"tuner: {error}\n")
        sys.exit(error.exit_code)
