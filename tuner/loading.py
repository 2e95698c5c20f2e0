"""From YAML text to a recipe, with every mistake reported as one line that names the key."""

import difflib
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tuner.errors import InputError
from tuner.recipe import Lora, PromptTuning, Recipe

MAX_BYTES = 512 * 1024
"""A recipe travels as a Prefect parameter, which may hold 512 kB."""


_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError, LookupError, AttributeError)
"""What PyYAML throws at text that it cannot construct: `!!bool x` is a KeyError, `!!timestamp x` an AttributeError."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, which plain YAML would silently let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node, deep=True))
            if key in seen:
                line = key_node.start_mark.line + 1
                raise InputError(f"line {line}: the key '{key}' is given twice; give each a name of its own")
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads: a string that it would take for a number is quoted."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Reading makes one line feed of these unless they are written as escapes, which only double quotes have.
        style = '"' if any(character in data for character in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)

# YAML 1.1 reads 2e-4 as a string; in a recipe it is a number.
for _each in (_Loader, _Dumper):
    _each.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def shipped() -> list[str]:
    """The names of the recipes that come with the program."""
    return sorted(path.name.removesuffix(".yaml") for path in _configs() if path.name.endswith(".yaml"))


def _configs() -> Iterator[Any]:
    return resources.files("configs").iterdir()


def read(source: str) -> str:
    """The text of a recipe.

    Args:
        source: A path, or the name of a shipped recipe such as `quickstart`.

    Raises:
        InputError: If there is no such file or recipe, or it is too large or not text.
    """
    path = Path(source)
    if not path.exists():
        name = path.name.removesuffix(".yaml")
        if source in (name, f"configs/{name}.yaml") and name in shipped():
            return (resources.files("configs") / f"{name}.yaml").read_text()
        raise InputError(f"{source}: no such recipe; give a path, or one of {', '.join(shipped())}")
    if not path.is_file():
        raise InputError(f"{source}: not a file; give the path of a recipe (YAML)")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{source}: {path.stat().st_size:,} bytes; a recipe has at most {MAX_BYTES:,}")
    try:
        return path.read_text()
    except UnicodeDecodeError:
        raise InputError(f"{source}: not a text file; a recipe is YAML in UTF-8") from None
    except OSError as error:
        raise InputError(f"{source}: {error.strerror}") from None


def parse(text: str, overrides: Sequence[str] = (), source: str = "recipe") -> Recipe:
    """Reads and checks a recipe.

    Args:
        text: YAML.
        overrides: `a.b=value` each, the value typed as YAML.
        source: What to call the text in errors.

    Raises:
        InputError: If anything about it is wrong; the message names the key.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise InputError(f"{source}: {size:,} bytes; a recipe has at most {MAX_BYTES:,}")
    try:
        data = yaml.load(text, Loader=_Loader)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{source}: not valid YAML{where}: {problem}") from None
    if not isinstance(data, dict):
        raise InputError(f"{source}: a recipe is a YAML mapping with the keys {', '.join(Recipe.model_fields)}")
    for override in overrides:
        _override(data, override)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {_line(error)}") from None


def load(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """`read` and `parse` in one."""
    return parse(read(source), overrides, source)


def text(recipe: Recipe) -> str:
    """A recipe as YAML that reads as the same recipe."""
    return yaml.dump(recipe.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _override(data: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise InputError(f"--set {override}: write it as a.b=value")
    try:
        typed = yaml.load(value, Loader=_Loader)
    except (*_NOT_YAML, InputError):
        raise InputError(f"--set {override}: the value is not valid YAML") from None
    node = data
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise InputError(f"--set {override}: '{key}' holds a value, not further keys")
        node = child
    node[keys[-1]] = typed


def _line(error: ValidationError) -> str:
    first = error.errors()[0]
    # A discriminated union puts the chosen method into the location; a person wrote no such key.
    path = [str(part) for part in first["loc"]]
    if len(path) > 2 and path[0] == "training":
        path.pop(2)
    where = ".".join(path) or "recipe"
    match first["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _keys(path[:-1], first["loc"]), n=1)
            hint = (
                f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(_keys(path[:-1], first['loc']))}"
            )
            text = f"unknown key{hint}"
        case "missing":
            text = "is missing"
        case "too_short" if path == ["training"]:
            text = "names no adapter; give at least one, such as 'lora: {method: lora}'"
        case "union_tag_invalid":
            text = f"no method {first.get('ctx', {}).get('tag')!r}; it is lora or prompt_tuning"
        case "literal_error" if path[-2:-1] == ["targets"]:
            where = ".".join(path[:-1])
            text = f"is all-linear or a list of projection names, not {_shown(first['input'])}"
        case "union_tag_not_found":
            text = "needs a 'method': lora or prompt_tuning"
        case "value_error":
            text = first["msg"].removeprefix("Value error, ")
        case "string_pattern_mismatch" | "string_too_short":
            text = f"{first['input']!r} is no name: letters, digits, '.', '_' and '-', at most 64, the first no sign"
        case _:
            text = f"{first['msg']}, not {_shown(first['input'])}"
    return f"{where}: {text}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _keys(path: Sequence[str], loc: Sequence[str | int]) -> list[str]:
    """The keys that the section at `path` knows."""
    if path[:1] == ["training"] and len(path) > 1:
        return list(({"lora": Lora, "prompt_tuning": PromptTuning}[str(loc[2])]).model_fields)
    section: type[BaseModel] = Recipe
    for key in path:
        annotation = section.model_fields[key].annotation
        candidates = [annotation, *get_args(annotation)]
        section = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return list(section.model_fields)
