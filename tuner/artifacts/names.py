"""What people call things in the store, and when things happened."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tuner.errors import InputError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


def now() -> str:
    """This moment, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str, given: str = "--name") -> str:
    """A name that is safe as a folder.

    Args:
        name: The name.
        given: What it was given as, for the error.

    Raises:
        InputError: If it is a path or holds other signs than letters, digits, `.`, `_` and `-`.
    """
    plain = name.replace(".", "").replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= 100):
        raise InputError(f"{given} {name}: a name has letters, digits, '.', '_' and '-' only, at most 100")
    return name
