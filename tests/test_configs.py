"""The shipped recipes: valid, the original one true to the original, the fair one fair in what it says it is."""

import pytest

from tuner import loading
from tuner.recipe import Lora, PromptTuning


@pytest.mark.parametrize("name", loading.shipped())
def test_every_shipped_recipe_is_valid_and_named_as_its_file(name: str) -> None:
    assert loading.load(name).name == name


def test_the_original_recipe_holds_the_original_figures() -> None:
    recipe = loading.load("original")
    assert recipe.seed == 42
    assert recipe.models.generator == "meta-llama/Llama-3.1-8B-Instruct"
    assert recipe.models.student == "meta-llama/Llama-3.2-3B"
    assert (recipe.generation.rows, recipe.generation.shard_rows) == (1500, 100)
    for turn in (recipe.generation.instruction, recipe.generation.response):
        assert (turn.temperature, turn.max_tokens) == (1.0, 512)
    assert recipe.curation.form.instruction_words == (3, 500)
    assert recipe.curation.form.response_words == (10, 2000)
    assert (recipe.curation.quality.minimum, recipe.curation.quality.target) == (0.5, 1000)
    assert recipe.curation.repetition.max_word_share == 0.3
    assert recipe.split.validation == 0.1
    assert set(recipe.training) == {"lora", "prompt_tuning"}
    for adapter in recipe.training.values():
        assert (adapter.epochs, adapter.batch_size, adapter.gradient_accumulation) == (3, 12, 2)
        assert (adapter.warmup, adapter.max_length, adapter.quantization) == (0.03, 2048, "nf4")
    lora, prompt = recipe.training["lora"], recipe.training["prompt_tuning"]
    assert isinstance(lora, Lora)
    assert isinstance(prompt, PromptTuning)
    assert (lora.r, lora.alpha, lora.dropout, lora.learning_rate) == (8, 16, 0.05, 2e-4)
    assert lora.targets == ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert (prompt.virtual_tokens, prompt.init, prompt.learning_rate) == (20, "random", 3e-4)


def test_fair_differs_from_original_in_its_prompt_tuning_alone() -> None:
    original, fair = (loading.load(name).model_dump() for name in ("original", "fair"))
    changed = {"name": "original", "training": {**fair["training"]}}
    changed["training"]["prompt_tuning"] = {
        **fair["training"]["prompt_tuning"],
        "init": "random",
        "learning_rate": 3e-4,
    }
    assert {**fair, **changed} == original
