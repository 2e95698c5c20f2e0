"""Every setting of a recipe decides what is computed: changing it changes a fingerprint before the report's."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tuner.recipe import Recipe
from tuner.registry import LAST, planned

NAMES_ONLY = {
    ("name",): "what runs are called",
    ("curation", "profile"): "the defaults of the sections, which hold all that it decides",
}
"""Settings that decide no result, and what they are for."""

PROMPTS = "package:tuner/curation/checks/example_prompts.txt"

FULL: dict[str, Any] = {
    "name": "full",
    "seed": 3,
    "models": {
        "generator": "owner/chat",
        "student": "owner/base",
        "chat_template": {"generator": "owner/given", "student": "owner/given"},
    },
    "generation": {
        "rows": 96,
        "rounds": 2,
        "shard_rows": 24,
        "system": [{"prompt": "You are kind.", "category": "kind"}],
        "response_system": "You are brief.",
    },
    "curation": {
        "ignore": ["toxic"],
        "language": {},
        "duplicates": {"near": {}, "semantic": {}},
        "balance": {"at_most": 5},
        "quality": {"target": 40},
    },
    "split": {"former": "0" * 64},
    "training": {"lora": {"method": "lora"}, "soft": {"method": "prompt_tuning"}},
}
"""A recipe with every optional section."""

OVERRIDES: dict[tuple[str, ...], dict[str, Any]] = {
    ("generation", "prefix"): {"generation": {"system": []}},
    ("curation", "quality", "top_k"): {"curation": {"quality": {"target": None, "top_k": 40}}},
}


def leaves(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def changed(data: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {**data, first: changed(data[first], tuple(rest), value) if rest else value}


def merged(data: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **data,
        **{key: merged(data[key], value) if isinstance(value, Mapping) else value for key, value in more.items()},
    }


def others(value: Any) -> Iterator[Any]:
    """Other values than this one, some of them valid for its setting."""
    match value:
        case bool():
            yield not value
        case int() | float():
            yield from (value + 1, value - 1, value * 0.9, value / 2 + 0.01, 0.6)
        case str():
            yield from (
                ["q_proj"],
                "owner/other",
                "1" * 64,
                "response",
                "category",
                "drop",
                "mark",
                "random",
                "cosine",
                "mixed",
                "own-data",
                "x y",
            )
        case list() | tuple():
            yield from ([PROMPTS], ["response"], ["de"], ["refusal"], ["q_proj"], [5, 400], [1, 2])
        case None:
            yield from (1, 0.5, "x", "nf4", ["q_proj"], 7)


PLAIN = Recipe.model_validate(FULL).model_dump(mode="json")


@pytest.mark.parametrize("path", list(leaves(PLAIN)), ids=".".join)
def test_a_setting_enters_the_fingerprint_of_a_stage_that_reads_it(path: tuple[str, ...]) -> None:
    before = merged(PLAIN, OVERRIDES.get(path, {}))
    value: Any = before
    for key in path:
        value = value[key]
    names = fingerprints(before)
    for other in others(value):
        try:
            after = Recipe.model_validate(changed(before, path, other))
        except ValidationError:
            continue
        if after.model_dump(mode="json") == Recipe.model_validate(before).model_dump(mode="json"):
            continue
        assert (fingerprints(after.model_dump(mode="json")) == names) == (path in NAMES_ONLY)
        return
    pytest.skip(f"no other value is valid: {value!r}")


def fingerprints(plain: Mapping[str, Any]) -> set[str]:
    return {part.fingerprint for part in planned(Recipe.model_validate(plain)) if part.stage != LAST}


def test_the_contents_of_a_benchmark_file_enter_but_not_its_path(tmp_path: Path) -> None:
    def with_prompts(folder: str, text: str) -> set[str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "prompts.txt").write_text(text)
        against = {"curation": {"decontamination": {"against": [str(tmp_path / folder / "prompts.txt")]}}}
        return fingerprints(merged(PLAIN, against))

    assert with_prompts("a", "How far is the moon?\n") == with_prompts("b", "How far is the moon?\n")
    assert with_prompts("a", "How far is the moon?\n") != with_prompts("b", "How far is the sun?\n")
