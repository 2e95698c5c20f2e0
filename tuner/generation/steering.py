"""How system prompts are written in a recipe, and which one a row is drawn under.

What a recipe names is put in its place when it is read: shipped prompts by their words, a file by its lines. So these
stand in fingerprints, and travel with the recipe to workers.
"""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.generation import seeds
from tuner.generation.categories import SHIPPED
from tuner.generation.languages import LANGUAGES

if TYPE_CHECKING:
    from tuner.generation.settings import System

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


def chosen(systems: Sequence["System"], languages: Sequence[str], seed: int) -> "System | None":
    """The system prompt of a row, which follows from its seed; None for the chat template's own.

    Args:
        systems: The recipe's; a list of topics or personas is one of them, whatever its length.
        languages: ISO 639 codes of the languages that users are said to write in.
        seed: The row's.
    """
    if not systems and not languages:
        return None
    draws = seeds.uniforms(seed, 2, 4)
    words, category = BARE, ""
    if systems:
        weights = list(accumulate(system.weight for system in systems))
        system = systems[bisect(weights, float(draws[0]) * weights[-1], hi=len(systems) - 1)]
        words, category = system.prompt, system.category
        for draw, (key, place) in zip(draws[1:], LISTS.items(), strict=False):
            if lines := getattr(system, key):
                line = _one(lines, float(draw))
                words = words.replace(place, line)
                category = category or (line if key == "topics" else "")
    if languages:
        words = f"{words} The user writes in {LANGUAGES[_one(languages, float(draws[3]))]}."
    from tuner.generation.settings import System

    return System(prompt=words, category=category)


def _one(of: Sequence[str], draw: float) -> str:
    return of[min(int(draw * len(of)), len(of) - 1)]


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
