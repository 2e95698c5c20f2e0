"""The first rows of a recipe, drawn at once to be looked at."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.generation.generate import Generator
from tuner.generation.shards import shards

if TYPE_CHECKING:
    from tuner.recipe import Recipe

_SHOWN = ("instruction_prompt", "instruction", "response_prompt", "thoughts", "response")


def draw(recipe: "Recipe", rows: int) -> list[dict[str, Any]]:
    """Draws the first rows of the recipe's first shard, which a run of it draws too.

    Args:
        recipe: The recipe.
        rows: How many; more than the shard has are drawn as if it had them.

    Returns:
        The rows with the columns of `tuner.rows.SCHEMA`.

    Raises:
        InputError: If no source draws out of nothing, the generator cannot be loaded, or its chat template cannot be
            drawn from.
    """
    if (found := recipe.generation.magpie) is None:
        raise InputError(f"{recipe.name}: none of its sources is magpie, so that there is nothing to draw here")
    name, source = found
    generator = Generator(recipe.generator_models(name))
    try:
        shard = replace(shards(recipe, name)[0], rows=rows)
        return source.sample(generator.engine, generator.chat, shard)
    finally:
        generator.engine.close()


def text(row: dict[str, Any]) -> str:
    """A row for the terminal: prompts with their special tokens on one line, texts as they are."""
    lines = [f"row {row['row_id']}  {row['outcome'].replace('_', ' ')}, {_tokens(row)}"]
    for name in _SHOWN:
        if row[name]:
            shown = json.dumps(row[name], ensure_ascii=False) if name.endswith("prompt") else row[name]
            lines.append(f"  {name.replace('_', ' ')}\n{_indented(shown)}")
    return "\n".join(lines) + "\n"


def _tokens(row: dict[str, Any]) -> str:
    return f"{row['instruction_tokens']:,} + {row['response_tokens']:,} tokens"


def _indented(shown: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in shown.splitlines())
