"""The shipped recipes are valid, give all adapters equal training, and `fair` is `original` with one fault fixed."""

import pytest

from tuner import loading


@pytest.mark.parametrize("name", loading.shipped())
def test_every_shipped_recipe_is_valid_and_named_as_its_file(name: str) -> None:
    assert loading.load(name).name == name


@pytest.mark.parametrize("name", loading.shipped())
def test_all_adapters_of_a_shipped_recipe_get_equal_training(name: str) -> None:
    """The adapters that learn the answers see the same rows equally often, in batches of equal size."""
    adapters = [each.model_dump() for each in loading.load(name).training.values() if not each.objective.pairs]
    for key in ("epochs", "batch_size", "gradient_accumulation", "max_length", "packing", "quantization"):
        assert len({each[key] for each in adapters}) == 1, key


def test_fair_differs_from_original_only_in_initialization_and_learning_rate_of_prompt_tuning() -> None:
    original, fair = (loading.load(name).model_dump() for name in ("original", "fair"))
    assert {key for key in fair if fair[key] != original[key]} == {"name", "training"}
    assert fair["training"]["lora"] == original["training"]["lora"]
    assert fair["training"].keys() == original["training"].keys() == {"lora", "prompt_tuning"}
    one, other = (recipe["training"]["prompt_tuning"] for recipe in (original, fair))
    assert {key for key in one if one[key] != other[key]} == {"init", "learning_rate"}
