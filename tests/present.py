"""What a test knows is there, where the type says that it may be None."""

from typing import TypeVar

Value = TypeVar("Value")


def present(value: Value | None) -> Value:
    """The value; fails the test if it is None."""
    assert value is not None
    return value
