"""How system prompts are written in a recipe.

What a recipe names is put in its place when it is read: shipped prompts by their words, a file by its lines. So these
stand in fingerprints, and travel with the recipe to workers.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuner.generation.categories import SHIPPED

ABOUT = "You are a helpful AI assistant. The user asks you about {topic}."
FROM = "You are a helpful AI assistant. The user is {persona}, and asks you for help."
ABOUT_FROM = "You are a helpful AI assistant. The user is {persona}, and asks you about {topic}."
"""The prompts of topics and personas where a recipe has none of its own."""

BARE = "You are a helpful AI assistant."
"""What a language is named behind, where a recipe has no system prompts."""

LISTS = {"topics": "{topic}", "personas": "{persona}"}
"""What a system prompt may have a list of, and where it stands in its words."""

MAX_LINE = 500
"""Characters of a line."""

MAX_BYTES = 64 * 1024
"""Of a file, which becomes part of a recipe."""

_ALL = "shipped"


def written(given: Any) -> Any:
    """System prompts as a recipe may write them, as plain data of `System`.

    Args:
        given: One of these or a list of them: `shipped`, `shipped:NAME`, a file of topics `./NAME.txt`, a text; or a
            mapping of `System` whose `topics` and `personas` may be files.

    Raises:
        ValueError: If there is no such prompt, or a file cannot be used.
    """
    listed = [given] if isinstance(given, str | Mapping) else given
    if not isinstance(listed, list | tuple):
        return given
    return [each for entry in listed for each in _written(entry)]


def _written(entry: Any) -> Iterator[Any]:
    if isinstance(entry, str):
        name = entry.removeprefix(f"{_ALL}:")
        if entry == _ALL:
            yield from ({"prompt": prompt, "category": name} for name, prompt in SHIPPED.items())
        elif name != entry:
            if name not in SHIPPED:
                raise ValueError(f"no shipped system prompt {name!r}; they are {', '.join(SHIPPED)}")
            yield {"prompt": SHIPPED[name], "category": name}
        elif _is_file(entry):
            yield {"prompt": ABOUT, "topics": _lines(entry)}
        else:
            yield {"prompt": entry}
    elif isinstance(entry, Mapping):
        lists = {key: _lines(value) if isinstance(value, str) else value for key in LISTS if (value := entry.get(key))}
        default = {("topics",): ABOUT, ("personas",): FROM, ("topics", "personas"): ABOUT_FROM}.get(tuple(lists))
        yield {**({"prompt": default} if default else {}), **entry, **lists}
    else:
        yield entry


def _is_file(entry: str) -> bool:
    """Whether a text is the path of a file; one that lacks its beginning is a mistake."""
    if not entry.endswith(".txt") or "\n" in entry:
        return False
    if not entry.startswith((".", "/", "~")):
        raise ValueError(f"{entry}: write ./{entry} for a file in this folder")
    return True


def _lines(place: str) -> list[str]:
    """The lines of a file, each once, without those that are empty."""
    path = Path(place).expanduser()
    try:
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            raise ValueError(f"{place}: no such file")
        if size > MAX_BYTES:
            raise ValueError(f"{place}: {size:,} bytes; a recipe has at most {MAX_BYTES:,} together with its files")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{place}: not a text file in UTF-8") from None
    except OSError as error:
        raise ValueError(f"{place}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise ValueError(f"{place}:{number}: {len(line):,} characters; a line has at most {MAX_LINE}")
    found = list(dict.fromkeys(stripped for line in lines if (stripped := line.strip())))
    if not found:
        raise ValueError(f"{place}: the file is empty")
    return found
