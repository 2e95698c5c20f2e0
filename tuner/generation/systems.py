"""Which system prompt a row is drawn under."""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate

from tuner.generation import seeds
from tuner.generation.languages import LANGUAGES
from tuner.generation.seeds import CHOICE_LANGUAGE, CHOICE_SYSTEM, CHOICE_TOPIC, CHOICES
from tuner.generation.sources import System
from tuner.generation.steering import BARE, LISTS


def chosen(
    systems: Sequence[System], languages: Sequence[str], seed: int, weights: Sequence[float] = ()
) -> System | None:
    """The system prompt of a row, which follows from its seed; None for the chat template's own.

    Args:
        systems: The recipe's; a list of topics or personas is one of them, whatever its length.
        languages: ISO 639 codes of the languages that users are said to write in.
        seed: The row's.
        weights: How often each system prompt is chosen, instead of its own weight.
    """
    if not systems and not languages:
        return None
    draws = seeds.uniforms(seed, CHOICES, CHOICE_LANGUAGE + 1)
    words, category = BARE, ""
    if systems:
        sums = list(accumulate(weights or [system.weight for system in systems]))
        system = systems[bisect(sums, float(draws[CHOICE_SYSTEM]) * sums[-1], hi=len(systems) - 1)]
        words, category = system.prompt, system.category
        for draw, (key, place) in zip(draws[CHOICE_TOPIC:CHOICE_LANGUAGE], LISTS.items(), strict=True):
            if lines := getattr(system, key):
                line = _one(lines, float(draw))
                words = words.replace(place, line)
                category = category or (line if key == "topics" else "")
    if languages:
        words = f"{words} The user writes in {LANGUAGES[_one(languages, float(draws[CHOICE_LANGUAGE]))]}."
    return System(prompt=words, category=category)


def _one(of: Sequence[str], draw: float) -> str:
    return of[min(int(draw * len(of)), len(of) - 1)]
