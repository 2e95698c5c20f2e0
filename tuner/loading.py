"""Parses YAML into a recipe and reports every mistake as one line that names the key."""

import difflib
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from tuner.errors import InputError
from tuner.generation.settings import Generation
from tuner.generation.sources import SOURCES, Magpie
from tuner.recipe import Recipe
from tuner.training.methods import METHODS
from tuner.training.objectives import OBJECTIVES

MAX_BYTES = 64 * 1024
"""Limit for a recipe and for a value of `--set`; PyYAML reads about 200 kB in a second."""
MAX_DEPTH = 20
"""Limit of nesting. The deepest setting is at level 5."""
MAX_VALUES = 5_000
"""Limit of keys and values together, with aliases expanded."""
MAX_DIGITS = 50
"""Limit of a number's digits. Python's own limit, 4,300, applies to decimal numbers only."""


_KINDS = {"method": ("method", METHODS), "source": ("source", SOURCES), "name": ("objective", OBJECTIVES)}
"""What a section is that is chosen by a key, and the choices, by that key."""

_NOT_YAML = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
"""Exceptions of PyYAML on invalid text: `!!bool x` raises a KeyError, `!!timestamp x` an AttributeError."""


class _Loader(yaml.SafeLoader):
    """Safe YAML of a bounded size without duplicate keys, of which plain YAML would silently keep the last.

    Sizes are checked before any value is constructed, since that is when aliases and merges expand.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._values = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        before = self._values
        self._values += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _refused(event, f"values are nested more than {MAX_DEPTH} levels deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        assert node is not None
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                raise _refused(event, f"the alias *{_cut(event.anchor)} refers to a value that contains it")
            self._values += self._sizes[node]
        if self._values > MAX_VALUES:
            raise _refused(event, f"a recipe has at most {MAX_VALUES:,} keys and values, with aliases expanded")
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
            raise _refused(event, f"a number has {len(node.value):,} digits; at most {MAX_DIGITS} are allowed")
        self._sizes.setdefault(node, self._values - before)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused(key_node, "a key is a list or a mapping; use a name")
            key = str(self.construct_object(key_node, deep=True))
            if key in seen:
                raise _refused(key_node, f"the key '{_cut(key)}' appears twice; rename or remove one")
            seen.add(key)
        return super().construct_mapping(node, deep)


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def _refused(place: yaml.Event | yaml.Node, problem: str) -> InputError:
    return InputError(f"line {place.start_mark.line + 1}: {problem}")


class _Dumper(yaml.SafeDumper):
    """Writes YAML that `_Loader` reads back: a string that looks like a number is quoted."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # These would be read as line feeds unless they are escaped, which only double quotes allow.
        style = '"' if any(character in data for character in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_str)

# YAML 1.1 reads 2e-4 as a string; in a recipe it is a number.
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
        list("-+0123456789."),
    )


def shipped() -> list[str]:
    """The names of the shipped recipes, sorted."""
    return sorted(path.name.removesuffix(".yaml") for path in _configs() if path.name.endswith(".yaml"))


def _configs() -> Iterator[Any]:
    return resources.files("configs").iterdir()


def read(source: str) -> str:
    """Reads the text of a recipe.

    Args:
        source: A path, or the name of a shipped recipe such as `quickstart`.

    Raises:
        InputError: If there is no such file or recipe, or it is too large or not UTF-8 text.
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
    """Parses and validates a recipe.

    Args:
        text: The YAML.
        overrides: Changed settings, each `a.b=value` with the value as YAML.
        source: The name of the text in error messages.

    Raises:
        InputError: If the recipe is not valid; the message names the key.
    """
    try:
        data = _constructed(text)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{source}: a recipe is a YAML mapping with the keys {', '.join(Recipe.model_fields)}")
    for override in overrides:
        _override(data, override)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{source}: {_plain(_line(error, _is_flat(data)))}") from None
    _check_size(recipe, source)
    return recipe.pinned()


def load(source: str, overrides: Sequence[str] = ()) -> Recipe:
    """Reads and parses a recipe; see `read` and `parse`."""
    return parse(read(source), overrides, source)


def text(recipe: Recipe) -> str:
    """A recipe as YAML; parsing it gives the same recipe."""
    return yaml.dump(recipe.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _check_size(recipe: Recipe, source: str) -> None:
    """Refuses a recipe that is too large with the lines of the files that it names, since workers are sent these."""
    sources = [source for source in recipe.generation.sources.values() if isinstance(source, Magpie)]
    if any(system.topics or system.personas for source in sources for system in source.system):
        try:
            _constructed(text(recipe))
        except InputError as error:
            raise InputError(f"{source}: generation.system: too long with the lines of its files: {error}") from None


def _constructed(text: str) -> Any:
    """The value of a YAML text.

    Raises:
        InputError: If it is not valid YAML or too large.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise InputError(f"{size:,} bytes; a recipe has at most {MAX_BYTES:,}")
    try:
        return yaml.load(text, Loader=_Loader)
    except _NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = _plain(str(getattr(error, "problem", None) or error))
        raise InputError(f"not valid YAML{where}: {problem}") from None


def _override(data: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    keys = path.strip().split(".")
    source = f"--set {_plain(override)}"
    if not equals or not all(keys):
        raise InputError(f"{source}: write it as a.b=value")
    if len(keys) > MAX_DEPTH:
        raise InputError(f"{source}: nests {len(keys):,} keys; at most {MAX_DEPTH} are allowed")
    try:
        typed = _constructed(value)
    except InputError as error:
        raise InputError(f"{source}: the value is {error}") from None
    node = data
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise InputError(f"{source}: '{_cut(key)}' is a value and has no further keys")
        node = child
    node[keys[-1]] = typed


def _line(error: ValidationError, flat: bool) -> str:
    """The first mistake in a line.

    Args:
        error: The mistakes.
        flat: Whether the settings of a single source stand in `generation` itself.
    """
    first = error.errors()[0]
    # The location of a discriminated union includes the chosen method, which is not a key of the recipe.
    path = [str(part) for part in first["loc"]]
    if len(path) > 2 and path[0] == "training":
        path.pop(2)
        if path[2:3] == ["objective"]:
            del path[3:4]
    if path[:2] == ["generation", "sources"]:
        del path[3:4]
        if flat:
            del path[1:3]
    where = ".".join(path) or "recipe"
    match first["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(_cut(path[-1]), _keys(path[:-1], first["loc"]), n=1)
            hint = (
                f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(_keys(path[:-1], first['loc']))}"
            )
            text = f"unknown key{hint}"
        case "missing":
            text = "is missing"
        case "too_short" if path == ["training"]:
            text = "has no adapter; add at least one, such as 'lora: {method: lora}'"
        case "union_tag_invalid":
            key = _discriminator(first)
            kind, choices = _KINDS[key]
            text = f"unknown {kind} {_shown(first['input'].get(key))}; use one of {', '.join(choices)}"
        case "literal_error" if path[-2:-1] == ["targets"]:
            where = ".".join(path[:-1])
            text = f"must be all-linear or a list of projection names, not {_shown(first['input'])}"
        case "union_tag_not_found":
            key = _discriminator(first)
            text = f"needs a '{key}': one of {', '.join(_KINDS[key][1])}"
        case "value_error":
            text = first["msg"].removeprefix("Value error, ")
            if not path:  # it names the key itself
                return text
        case "string_too_short" if path[0] == "generation":
            text = "is an empty text"
        case "string_pattern_mismatch" | "string_too_short":
            text = (
                f"{_shown(first['input'])} is not a valid name: at most 64 letters, digits, '.', '_', '-'; "
                "the first a letter or digit"
            )
        case _:
            text = f"{first['msg']}, not {_shown(first['input'])}"
    return f"{_cut(where, 120)}: {text}"


def _is_flat(data: dict[str, Any]) -> bool:
    generation = data.get("generation")
    return not (isinstance(generation, dict) and "sources" in generation)


def _discriminator(error: Any) -> str:
    """The key that chooses a section, from an error of pydantic."""
    return str(error["ctx"]["discriminator"]).strip("'")


def _shown(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _plain(text: str) -> str:
    """A text on one line, without control characters and of at most 300 characters."""
    return _cut(" ".join("".join(char if char.isprintable() else " " for char in text).split()), 300)


def _keys(path: Sequence[str], loc: Sequence[str | int]) -> list[str]:
    """The allowed keys of the section at `path`."""
    if path[2:3] == ["objective"]:
        return list(OBJECTIVES[str(loc[4])].model_fields)
    if path[:1] == ["training"] and len(path) > 1:
        return list(METHODS[str(loc[2])].model_fields)
    if tuple(loc[:2]) == ("generation", "sources") and len(loc) > 3:
        own = SOURCES[str(loc[3])].model_fields
        deeper = [str(part) for part in loc[4:-1]]
        if deeper:
            return list(_section(own[deeper[0]].annotation).model_fields)
        return [*own, *Generation.model_fields] if path == ["generation"] else list(own)
    section: type[BaseModel] = Recipe
    for key in (key for key in path if not key.isdigit()):
        section = _section(section.model_fields[key].annotation)
    return list(section.model_fields)


def _section(annotation: Any) -> type[BaseModel]:
    """The section in the annotation of a field."""
    candidates = [annotation, *get_args(annotation)]
    return next(each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel))
