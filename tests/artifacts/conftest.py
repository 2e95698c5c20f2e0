"""Complete adapter artifacts, made without training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store

Trained = Callable[[str], Manifest]


@pytest.fixture
def store(store_url: str) -> Store:
    return Store(store_url)


@pytest.fixture
def trained(store: Store) -> Trained:
    """A function that makes a `train` artifact."""

    def make(name: str) -> Manifest:
        def fill(folder: Path) -> dict[str, Any]:
            (folder / "adapter").mkdir()
            (folder / "adapter" / "adapter_model.safetensors").write_bytes(name.encode() * 100)
            return {"method": "lora"}

        return store.build(Spec("train", 1, {"name": name}, {}, name), fill)

    return make
