"""Every method: chosen by its name, validated, and turned into its PEFT configuration."""

from collections import Counter
from types import SimpleNamespace
from typing import get_args

import pytest
import torch
from pydantic import ValidationError

from tests.training.methods.made import SIZES, made
from tuner.errors import InputError
from tuner.training.methods import METHODS, Method


def student(**layers: torch.nn.Module) -> torch.nn.Module:
    return torch.nn.ModuleDict({"q_proj": torch.nn.Linear(4, 4), "norm": torch.nn.LayerNorm(4), **layers})


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_chooses_it_by_its_name_alone(name: str) -> None:
    settings = METHODS[name].model_validate({"method": name})
    assert settings.model_dump()["method"] == settings.name() == name


@pytest.mark.parametrize("name", METHODS)
def test_what_it_forbids_is_refused_with_the_reason(name: str) -> None:
    values = {"packing": True, "quantization": "nf4"}
    assert METHODS[name].forbids.keys() <= values.keys()
    for setting, value in values.items():
        if reason := METHODS[name].forbids.get(setting):
            with pytest.raises(ValidationError, match=f"{name} cannot be trained with {setting}: {value}, since"):
                made(name, **{setting: value})
            assert not reason.endswith(".")
        else:
            assert getattr(made(name, **{setting: value}), setting) == value


def test_qlora_is_always_quantized() -> None:
    assert made("qlora").quantization == "nf4"
    with pytest.raises(ValidationError, match="quantization"):
        made("qlora", quantization=None)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("full", "p_tuning", "ia3")])
def test_peft_agrees_on_whether_it_is_a_prompt(name: str) -> None:
    """A learned prompt is not merged, and PEFT drops its position ids."""
    config = made(name).peft_config(student(), "tokenizer")
    assert config is not None
    assert config.task_type == "CAUSAL_LM"
    assert METHODS[name].merges == (not config.is_prompt_learning) == ("packing" not in METHODS[name].forbids)


def test_its_size_is_a_short_text() -> None:
    assert Counter(made(name).size for name in METHODS) == SIZES


def test_every_way_of_serving_as_lora_occurs() -> None:
    ways = {method.serves_as_lora for method in METHODS.values()}
    assert ways == set(get_args(get_args(Method.__annotations__["serves_as_lora"])[0]))


@pytest.mark.parametrize("name", [name for name in METHODS if "targets" in METHODS[name].model_fields])
def test_an_unknown_target_is_named(name: str) -> None:
    model = student(lm_head=torch.nn.Linear(4, 4))
    made(name, targets=("q_proj",)).peft_config(model, "")
    with pytest.raises(InputError, match="the student has no module called 'k_proj'; it has q_proj"):
        made(name, targets=("q_proj", "k_proj")).peft_config(model, "")
    with pytest.raises(InputError, match="lm_head cannot be adapted"):
        made(name, targets=("lm_head",)).peft_config(model, "")


@pytest.mark.parametrize("name", [name for name in METHODS if "targets" in METHODS[name].model_fields])
def test_a_student_without_linear_layers_is_refused(name: str) -> None:
    model = torch.nn.ModuleDict({"lm_head": torch.nn.Linear(4, 4), "norm": torch.nn.LayerNorm(4)})
    with pytest.raises(InputError, match=f"the student has no linear layer that {name} could adapt"):
        made(name).peft_config(model, "")


def test_a_student_without_norms_is_refused() -> None:
    with pytest.raises(InputError, match="no normalization layer that ln_tuning could train"):
        made("ln_tuning").peft_config(torch.nn.Linear(2, 2), "")


@pytest.mark.parametrize("name", ["prompt_tuning", "p_tuning", "prefix_tuning"])
def test_a_prompt_longer_than_the_context_is_refused(name: str) -> None:
    model = student()
    object.__setattr__(model, "config", SimpleNamespace(max_position_embeddings=64))
    with pytest.raises(InputError, match="virtual_tokens: 60 leave no room for a row in the student's context of 64"):
        made(name, virtual_tokens=60).peft_config(model, "tokenizer")


def test_the_second_matrix_of_loraplus_learns_faster() -> None:
    settings = made("loraplus", learning_rate=1e-4, rate_ratio=16)
    assert settings.rate("model.q_proj.lora_A.default.weight") == 1e-4
    assert settings.rate("model.q_proj.lora_B.default.weight") == pytest.approx(16e-4)
