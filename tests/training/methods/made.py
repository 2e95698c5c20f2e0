"""A small adapter of every method, for the tiny student."""

from typing import Any

from pydantic import TypeAdapter

from tuner.training.methods import METHODS, Adapter, Method

SMALL: dict[str, dict[str, Any]] = {
    **{name: {"r": 4, "alpha": 8} for name in ("lora", "rslora", "dora", "pissa", "loraplus", "qlora", "loha", "lokr")},
    "vera": {"r": 16},
    "oft": {"block_size": 16},
    **{name: {"virtual_tokens": 5} for name in ("prompt_tuning", "p_tuning", "prefix_tuning")},
}

SIZES = {"r4": 8, "r16": 1, "5 tokens": 3, "blocks of 16": 1, "factors": 1, "norms": 1, "all weights": 1}
"""How many methods have each size."""


def made(name: str, **settings: object) -> Method:
    return TypeAdapter(Adapter).validate_python({"method": name, **SMALL.get(name, {}), **settings})


assert METHODS.keys() >= SMALL.keys()
