"""Every method: chosen by its name, validated, and turned into its PEFT configuration."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tuner.errors import InputError
from tuner.training.methods import METHODS, Adapter, Method

MADE = {"lora": {"r": 4, "alpha": 8}, "prompt_tuning": {"virtual_tokens": 5, "init": "random"}}
"""A small adapter of each method."""


def made(name: str, **settings: object) -> Method:
    return TypeAdapter(Adapter).validate_python({"method": name, **MADE[name], **settings})


@pytest.mark.parametrize("name", METHODS)
def test_a_recipe_chooses_it_by_its_name(name: str) -> None:
    assert type(made(name)) is METHODS[name]
    assert made(name).model_dump()["method"] == made(name).name() == name


@pytest.mark.parametrize("name", METHODS)
def test_packing_is_refused_if_not_supported(name: str) -> None:
    if METHODS[name].packs:
        assert made(name, packing=True).packing
    else:
        with pytest.raises(ValidationError, match=f"{name} cannot be trained with packing: set packing to false"):
            made(name, packing=True)


@pytest.mark.parametrize("name", METHODS)
def test_peft_agrees_on_whether_it_is_a_prompt(name: str) -> None:
    """A learned prompt is not merged, and PEFT drops its position ids."""
    config = made(name).peft_config(torch.nn.Linear(2, 2), "")
    assert config.task_type == "CAUSAL_LM"
    assert METHODS[name].merges == METHODS[name].packs == (not config.is_prompt_learning)


@pytest.mark.parametrize(("name", "size"), [("lora", "r4"), ("prompt_tuning", "5 tokens")])
def test_its_size_is_a_short_text(name: str, size: str) -> None:
    assert made(name).size == size


@pytest.mark.parametrize("name", [name for name in METHODS if "targets" in METHODS[name].model_fields])
def test_an_unknown_target_is_named(name: str) -> None:
    model = torch.nn.ModuleDict({"q_proj": torch.nn.Linear(2, 2), "lm_head": torch.nn.Linear(2, 2)})
    made(name, targets=("q_proj",)).peft_config(model, "")
    with pytest.raises(InputError, match="the student has no module called 'k_proj'; it has q_proj"):
        made(name, targets=("q_proj", "k_proj")).peft_config(model, "")
    with pytest.raises(InputError, match="lm_head cannot be adapted"):
        made(name, targets=("lm_head",)).peft_config(model, "")
