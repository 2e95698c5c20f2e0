"""Names that users choose, and times, as the store records them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from tuner.errors import InputError

_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"

Name = Annotated[str, Field(pattern=f"^{_PLAIN}$")]
AdapterLabel = Annotated[str, Field(pattern=f"^{_PLAIN}(#[0-9]{{1,2}})?$")]
"""An adapter's name in a run; `#` and a number name its trainings with further seeds."""


def now() -> str:
    """The current time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_name(name: str, source: str = "--name") -> str:
    """Returns a name if it is safe as the name of a folder.

    Args:
        name: The name.
        source: The option or kind of name, for the error message.

    Raises:
        InputError: If it is a path or has other characters than letters, digits, `.`, `_` and `-`.
    """
    plain = name.replace(".", "").replace("_", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= 100):
        raise InputError(f"{source} {name}: a name has letters, digits, '.', '_' and '-' only, at most 100")
    return name
