"""A preview draws the rows that a run begins with, and shows the prompts as the model saw them."""

from pathlib import Path

import pytest

from tuner import loading
from tuner.artifacts import parquet
from tuner.generation import preview
from tuner.generation.generate import generate
from tuner.generation.shards import shards
from tuner.models.resident import release

RECIPE = (
    "name: tiny\nmodels: {{generator: {tiny}, student: {tiny}}}\n"
    "generation: {{rows: 8, shard_rows: 4, instruction: {{max_tokens: 12}}, response: {{max_tokens: 12}}}}\n"
    "training: {{lora: {{method: lora}}}}\n"
)


@pytest.mark.usefixtures("float32")
def test_its_rows_are_the_first_of_a_run(tiny: Path, tmp_path: Path) -> None:
    recipe = loading.parse(RECIPE.format(tiny=tiny))
    try:
        generate(recipe, shards(recipe)[0], tmp_path)
    finally:
        release()
    assert preview.draw(recipe, 2) == parquet.read(tmp_path / "rows.parquet").to_pylist()[:2]


def test_a_row_is_shown_with_its_prompts_and_without_what_it_lacks() -> None:
    row = {
        "row_id": "42-00000-00000",
        "outcome": "cut_response",
        "instruction_tokens": 9,
        "response_tokens": 1200,
        "instruction_prompt": "<|user|>\n",
        "instruction": "Why?",
        "response_prompt": '<|user|>\nWhy?\n<|assistant|> "',
        "thoughts": "",
        "response": "So.\n\nThus.",
    }
    assert preview.text(row) == (
        "row 42-00000-00000  cut response, 9 + 1,200 tokens\n"
        '  instruction prompt\n    "<|user|>\\n"\n'
        "  instruction\n    Why?\n"
        '  response prompt\n    "<|user|>\\nWhy?\\n<|assistant|> \\""\n'
        "  response\n    So.\n\n    Thus.\n"
    )
