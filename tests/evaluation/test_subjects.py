"""An adapter that does not fit the student is refused with one line, whatever error PEFT raises."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.errors import StageError
from tuner.evaluation.subjects import loaded_adapter, merged_adapter


def refused(use: Callable[[], Any], *words: str) -> None:
    with pytest.raises(StageError) as caught:
        use()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def load(model: Any, folder: Path) -> None:
    with loaded_adapter(model, folder):
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
def test_an_adapter_with_other_settings_is_refused(
    of: str, change: dict[str, Any], model: Any, adapters: dict[str, Path], tmp_path: Path
) -> None:
    folder = changed(adapters[of], tmp_path / "adapter", change)
    refused(lambda: load(model, folder), str(folder), "does not fit this student")


def test_an_adapter_with_other_weights_is_refused(model: Any, adapters: dict[str, Path], tmp_path: Path) -> None:
    for own, other in (("lora", "prompt_tuning"), ("prompt_tuning", "lora")):
        folder = shutil.copytree(adapters[own], tmp_path / own)
        shutil.copy(adapters[other] / "adapter_model.safetensors", folder)
        refused(lambda folder=folder: load(model, folder), "does not fit this student")
    (folder / "adapter_model.safetensors").write_bytes(b"no weights")
    refused(lambda: load(model, folder), "does not fit this student")


def test_a_prompt_cannot_be_merged(model: Any, adapters: dict[str, Path]) -> None:
    def use() -> None:
        with merged_adapter(model, adapters["prompt_tuning"]):
            pass

    refused(use, "cannot be merged: it is a prompt, not the method that the recipe names")
