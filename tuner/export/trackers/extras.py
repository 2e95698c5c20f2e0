"""Imports the libraries of trackers, which are optional."""

from importlib import import_module
from typing import Any

from tuner.errors import InputError


def library(extra: str, module: str | None = None) -> Any:
    """A module of an extra.

    Args:
        extra: The extra, which has the name of its library.
        module: The module; by default the library itself.

    Raises:
        InputError: If the extra is not installed.
    """
    try:
        return import_module(module or extra)
    except ImportError as error:
        raise InputError(f"--to {extra}: needs the extra `{extra}`: pip install '.[{extra}]' ({error})") from None
