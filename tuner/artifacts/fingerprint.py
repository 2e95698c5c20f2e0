"""The fingerprint, an artifact's name that is known before it is made: the sha256 of everything that decides it.

It is computed from canonical JSON: sorted keys, no white space, ASCII escapes. A value without a unique representation
(a NaN, an infinity, a set, an object) is refused, since two runs could then name the same artifact differently.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from tuner import hashing

Inputs = Mapping[str, str | list[str]]


def canonical_json(value: Any) -> str:
    """Encodes a value as the canonical JSON that fingerprints are computed from.

    Args:
        value: Nested dicts with string keys, lists, tuples, strings, integers, booleans, finite floats and None.

    Returns:
        The canonical JSON text.

    Raises:
        TypeError: If a value or a key has no unique representation.
    """
    return json.dumps(_checked(value, "$"), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _checked(value: Any, where: str) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where}: {value} has no unique JSON representation")
        # 1.0 and 1 mean the same setting in YAML, so they are encoded alike.
        return int(value) if value.is_integer() else value
    if isinstance(value, list | tuple):
        return [_checked(item, f"{where}[{i}]") for i, item in enumerate(cast(Sequence[Any], value))]
    if isinstance(value, Mapping):
        mapping = cast(Mapping[Any, Any], value)
        for key in mapping:
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} is not a string")
        return {key: _checked(item, f"{where}.{key}") for key, item in mapping.items()}
    raise TypeError(f"{where}: {type(value).__name__} has no unique JSON representation")


@dataclass(frozen=True)
class Spec:
    """What decides an artifact: the stage, its version, the settings and the artifacts that it is made from.

    Attributes:
        stage: The stage's name, such as `curate`.
        version: The stage's version, raised whenever its code gives another result for the same settings.
        identity: The settings that decide the result.
        inputs: Fingerprints of the artifacts that it reads, by role; a list where a role has several, in order.
        label: A readable name such as `shard 3` or `lora`; not part of the fingerprint.
        exact: Whether equal inputs give equal bytes on every machine, not only on machines that are alike; likewise.
    """

    stage: str
    version: int
    identity: Mapping[str, Any]
    inputs: Inputs
    label: str = ""
    exact: bool = True

    @cached_property
    def fingerprint(self) -> str:
        """The sha256, 64 hex digits."""
        deciding = {"stage": self.stage, "version": self.version, "identity": self.identity, "inputs": self.inputs}
        return hashing.of_text(canonical_json(deciding))
