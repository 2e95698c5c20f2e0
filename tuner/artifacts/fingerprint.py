"""What an artifact is called before it exists: the sha256 of everything that decides it.

Canonical JSON is the deterministic spelling: sorted keys, no white space, ASCII escapes. A value that has no single
spelling (a NaN, an infinity, a set, an object) is refused, since two runs could then name one thing differently.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuner import hashing

Inputs = Mapping[str, str | list[str]]


def canonical_json(value: Any) -> str:
    """Spells a value in the one way that fingerprints are computed from.

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, integers, booleans, finite floats and None.

    Returns:
        The canonical JSON text.

    Raises:
        TypeError: If a value or a key has no deterministic spelling.
    """
    return json.dumps(_checked(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _checked(value: Any, where: str) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where}: {value} has no deterministic spelling")
        # 1.0 and 1 are one setting to a person who writes YAML, so they are one spelling here.
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_checked(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} is not a string")
        return {key: _checked(item, f"{where}.{key}") for key, item in value.items()}
    raise TypeError(f"{where}: {type(value).__name__} has no deterministic spelling")


@dataclass(frozen=True)
class Spec:
    """An artifact to be: the stage, its version, the settings that decide it and the artifacts it is made from.

    Attributes:
        stage: The stage's name, such as `curate`.
        version: The stage's version, raised whenever its code would make something else from the same settings.
        identity: The settings that decide the result.
        inputs: Fingerprints of the artifacts read, by role; a list where the order of several matters.
        label: What a person calls it, such as `shard 3` or `lora`; not part of the fingerprint.
    """

    stage: str
    version: int
    identity: Mapping[str, Any]
    inputs: Inputs
    label: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits."""
        named = {"stage": self.stage, "version": self.version, "identity": self.identity, "inputs": self.inputs}
        return hashing.of_text(canonical_json(named))
