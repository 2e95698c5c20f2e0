"""Another adapter in the place of the one that was trained: a line says so, whatever PEFT makes of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.errors import StageError
from tuner.evaluation.subjects import merged, wearing


def refused(use: Callable[[], Any], *words: str) -> None:
    with pytest.raises(StageError) as caught:
        use()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def worn(model: Any, folder: Path) -> None:
    with wearing(model, folder):
        pass


def changed(adapter: Path, to: Path, change: dict[str, Any]) -> Path:
    shutil.copytree(adapter, to)
    config = to / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    return to


@pytest.mark.parametrize(
    ("of", "change"),
    [
        ("lora", {"r": 2}),
        ("lora", {"target_modules": ["q_proj"], "rank_pattern": {"q_proj": 3}}),
        ("lora", {"peft_type": "PROMPT_TUNING"}),
        ("lora", {"peft_type": "NONE_SUCH"}),
        ("lora", {"target_modules": ["nowhere"]}),
        ("prompt_tuning", {"num_virtual_tokens": 9}),
        ("prompt_tuning", {"peft_type": "LORA"}),
    ],
)
def test_its_settings_are_others(
    of: str, change: dict[str, Any], model: Any, adapters: dict[str, Path], tmp_path: Path
) -> None:
    folder = changed(adapters[of], tmp_path / "adapter", change)
    refused(lambda: worn(model, folder), str(folder), "is not one of this student")


def test_its_weights_are_those_of_another(model: Any, adapters: dict[str, Path], tmp_path: Path) -> None:
    for own, other in (("lora", "prompt_tuning"), ("prompt_tuning", "lora")):
        folder = shutil.copytree(adapters[own], tmp_path / own)
        shutil.copy(adapters[other] / "adapter_model.safetensors", folder)
        refused(lambda folder=folder: worn(model, folder), "is not one of this student")
    (folder / "adapter_model.safetensors").write_bytes(b"no weights")
    refused(lambda: worn(model, folder), "is not one of this student")


def test_it_cannot_be_merged(model: Any, adapters: dict[str, Path]) -> None:
    def use() -> None:
        with merged(model, adapters["prompt_tuning"]):
            pass

    refused(use, "cannot be merged: it is not the one that the recipe names")
