"""Made-up English exchanges that pass every check and are no near duplicates; and files of them."""

import json
import random
from pathlib import Path

_WORDS = [
    "bread",
    "river",
    "window",
    "garden",
    "music",
    "engine",
    "winter",
    "letter",
    "market",
    "colour",
    "planet",
    "forest",
    "island",
    "teacher",
    "kitchen",
    "bridge",
    "morning",
    "village",
    "machine",
    "copper",
    "harbour",
    "library",
    "mountain",
    "blanket",
    "candle",
    "pepper",
    "violin",
    "ladder",
    "tunnel",
    "meadow",
    "pencil",
    "lantern",
    "basket",
    "carpet",
    "hammer",
    "feather",
    "marble",
    "saddle",
    "thunder",
    "compass",
    "orchard",
    "pebble",
    "ribbon",
    "saucer",
    "timber",
    "walnut",
]
_LINKS = (
    "which usually needs",
    "while slowly becoming",
    "because it is made from",
    "and then carefully changes",
    "so nobody forgets",
    "although few people know",
    "before anyone opens",
)


def asked(number):
    draw = random.Random(number)
    return f"Explain how the {' and the '.join(draw.sample(_WORDS, 6))} belong together?"


def answered(number):
    draw = random.Random(-number - 1)
    words = iter(draw.sample(_WORDS, 15))
    return " ".join(
        f"The {next(words)} {link} the {next(words)} near some {next(words)}." for link in draw.sample(_LINKS, 5)
    )


def exchange(number):
    return {"instruction": asked(number), "response": answered(number)}


def lines(path: Path, records) -> Path:
    """Writes JSONL; a string is written as a line unchanged."""
    text = "".join((record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records)
    path.write_text(text, encoding="utf-8")
    return path
