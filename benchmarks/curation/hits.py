"""`python -m benchmarks.curation.hits FOLDER`: precision and recall of personal data on a folder of data sets.

Precision is of every place that is found in the sets, each labelled by a person who read it. `labels.txt` has the label
by a hash of the place and of what stands around it, since the sets are not part of the project. `--unread` prints the
places that have none, as lines of a table: hash, `?`, kind, file, row, what stands before, the place, what stands
behind. With `+` (right) or `-` (wrong) instead of the `?`, the first two columns are the lines for `labels.txt`.

Recall is of personal data made up by rule (`personal`) and put between the sentences of the sets' texts.
"""

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from benchmarks.curation.figures import Figure, table
from benchmarks.curation.personal import LINES, PLANTS
from tuner import hashing
from tuner.curation.detectors import personal_data

AROUND = 45
"""Characters shown before and behind a place."""
LABELS = Path(__file__).with_name("labels.txt")
PLANTED = 30_000
GOAL = 0.97


class Hit(NamedTuple):
    """A place that is taken for personal data."""

    kind: str
    file: str
    row: int
    before: str
    place: str
    behind: str

    @property
    def hash(self) -> str:
        """Names it without giving it away."""
        return hashing.of_text("\0".join((self.kind, self.before, self.place, self.behind)))[:16]


def texts(value: Any) -> Iterator[str]:
    """All texts of a value of JSON, from objects and lists within each other."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def read(folder: Path) -> list[tuple[str, int, str]]:
    """The texts of all files of JSON or lines of it, each with its file and row."""
    found = []
    for file in sorted(path for path in folder.iterdir() if path.suffix in (".json", ".jsonl")):
        content = file.read_text(encoding="utf-8")
        lines = filter(str.strip, content.splitlines())
        rows = json.loads(content) if file.suffix == ".json" else map(json.loads, lines)
        found += [(file.name, number, text) for number, row in enumerate(rows, 1) for text in texts(row)]
    return found


def hits(lines: Sequence[tuple[str, int, str]]) -> list[Hit]:
    """Every place that is found in these texts."""
    found = []
    column = pl.Series([text for *_, text in lines], dtype=pl.String)
    for at, kind, start, end in personal_data.find(column).iter_rows():
        file, row, text = lines[at]
        parts = text[max(0, start - AROUND) : start], text[start:end], text[end : end + AROUND]
        found.append(Hit(kind, file, row, *parts))
    return found


def labels(content: str) -> dict[str, bool]:
    """Whether a hit is right, by its hash."""
    return {hash_: label == "+" for hash_, label, *_ in map(str.split, content.splitlines()) if label in ("+", "-")}


def precision(found: Sequence[Hit], labelled: dict[str, bool]) -> list[Figure]:
    """The share of right places by kind, among those labelled."""
    read_ = [(hit.kind, labelled[hit.hash]) for hit in found if hit.hash in labelled]
    number, right = Counter(kind for kind, _ in read_), Counter(kind for kind, label in read_ if label)
    unread = Counter(hit.kind for hit in found if hit.hash not in labelled)
    return [
        Figure(
            f"{kind}, precision",
            right[kind] / number[kind] if number[kind] else float("nan"),
            least=GOAL if number[kind] else None,
            note=f"{number[kind]:,} read, {unread[kind]:,} unread",
        )
        for kind in PLANTS
    ]


def recall(carriers: Sequence[str], planted: int = PLANTED, seed: int = 5) -> list[Figure]:
    """The share of planted places that are found and masked whole, by kind.

    Args:
        carriers: Texts between whose sentences they are put.
        planted: How many.
        seed: Of what is drawn.
    """
    draw = random.Random(seed)
    carriers = [text for text in carriers if 40 < len(text) < 3_000]
    draw.shuffle(carriers)
    column: list[str] = []
    places: list[tuple[str, int, int]] = []
    for number in range(planted):
        kind = draw.choice(list(PLANTS))
        value = PLANTS[kind](draw)
        line = draw.choice(LINES[kind]).format(value)
        text = carriers[number % len(carriers)]
        sentences = text.split(". ")
        at = draw.randrange(len(sentences) + 1)
        gap = "\n" if "\n" in text else " "
        before = ". ".join(sentences[:at]) + gap if at else ""
        column.append(f"{before}{line}{gap}{'. '.join(sentences[at:])}")
        begin = len(before) + line.index(value)
        places.append((kind, begin, begin + len(value)))
    found: dict[int, list[tuple[str, int, int]]] = {}
    for row, *place in personal_data.find(pl.Series(column)).iter_rows():
        found.setdefault(row, []).append((place[0], place[1], place[2]))
    number = Counter(kind for kind, _, _ in places)
    right = Counter(
        place[0] for row, place in enumerate(places) if any(_covers(each, place) for each in found.get(row, ()))
    )
    return [
        Figure(f"{kind}, recall", right[kind] / number[kind], least=GOAL, note=f"{number[kind]:,} planted")
        for kind in PLANTS
    ]


def _covers(found: tuple[str, int, int], planted: tuple[str, int, int]) -> bool:
    """Whether a place is one that was planted; of `password = "…"` the value alone is one."""
    kind, begin, end = planted
    return found[0] == kind and found[2] >= end - (kind == "key") and (found[1] <= begin or kind == "key")


def main() -> None:
    """Prints precision and recall by kind, or the hits that nobody has read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curation.hits", description=__doc__)
    parser.add_argument("folder", type=Path, help="of .json and .jsonl files")
    parser.add_argument("--unread", action="store_true", help="print the places without a label")
    given = parser.parse_args()
    lines = read(given.folder)
    found, labelled = hits(lines), labels(LABELS.read_text(encoding="utf-8"))
    if given.unread:
        for hit in found:
            if hit.hash not in labelled:
                shown = [json.dumps(part, ensure_ascii=False)[1:-1] for part in hit[3:]]
                print(hit.hash, "?", *hit[:3], *shown, sep="\t")
        return
    print(table("Personal data in real texts", [*precision(found, labelled), *recall([text for *_, text in lines])]))


if __name__ == "__main__":
    main()
