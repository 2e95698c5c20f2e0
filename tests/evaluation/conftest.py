"""A tiny student in float32 on the CPU, and adapters on it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import write_rows
from tuner.artifacts import parquet
from tuner.models import loading
from tuner.models.chat import Chat, Encoded


@pytest.fixture(autouse=True)
def exact(float32: None) -> None:
    """Everything is computed in float32."""


@pytest.fixture
def model(tiny: Path) -> Any:
    return loading.load_model(str(tiny), torch.float32)


@pytest.fixture
def chat(tiny: Path) -> Chat:
    return Chat(loading.load_tokenizer(str(tiny)), str(tiny))


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    return parquet.read(write_rows(tmp_path / "rows.parquet", 7)).to_pylist()


@pytest.fixture
def encoded(chat: Chat, rows: list[dict[str, Any]]) -> list[Encoded]:
    return [chat.encode(row["prompt"] + row["completion"], 256) for row in rows]


@pytest.fixture(scope="session")
def adapters(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A LoRA and a prompt-tuning adapter with random weights that change the output."""
    import torch
    from peft import LoraConfig, PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    configs = {
        "lora": LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"),
        "prompt_tuning": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    }
    folders = {}
    torch.manual_seed(3)
    for name, config in configs.items():
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny), config)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = torch.randn_like(parameter) * 0.2
        folders[name] = tmp_path_factory.mktemp("adapters") / name
        model.save_pretrained(folders[name])
    return folders
