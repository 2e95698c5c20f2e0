"""Texts that the default model drew, labelled by reading: which bad ones are found, and which good ones kept.

`drawn.jsonl` beside this file holds them: instructions by Magpie and the responses to them, drawn from
SmolLM2-135M-Instruct at temperature 1.5, and at those of the quickstart's recipe.
Each line has `kind` (`instruction` or `response`), `text`, `finish` (`length` if the limit of tokens cut it off),
`temperature` and `labels`:

- `good`: a whole text that could be a row's, right or wrong;
- `loop`: it says the same over and over;
- `cut`: it ends in the middle of a sentence, a list or code;
- `leak`: tokens or turns of a template, or the other role's words, such as an instruction that answers;
- `gibberish`: its words make no sense;
- `other`: anything else that is wrong.

A text is judged in a row whose other text is good.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.curation.figures import Figure
from tuner.curation.columns.batch import Batch
from tuner.curation.examine import check
from tuner.curation.settings import Curation

FILE = Path(__file__).with_name("drawn.jsonl")
BAD = ("loop", "cut", "leak")
"""The labels of what is looked for."""
FOUND, KEPT = 0.95, 0.9

OTHER = {
    "instruction": "How does a baker know that the bread in the oven is done?",
    "response": (
        "A baker takes the loaf out, turns it over and knocks on its bottom. If it sounds hollow, the bread is done; "
        "if the sound is dull, it goes back into the oven for a few minutes and is tried again."
    ),
}
"""The good text beside the one that is judged."""


def read() -> list[dict[str, Any]]:
    """The labelled texts."""
    return [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def rejected(texts: list[dict[str, Any]], with_finish: bool = True) -> np.ndarray:
    """Which texts `magpie` takes, shape (texts,).

    Args:
        texts: As read.
        with_finish: Whether it is known which were cut off at the limit of tokens, as it is of rows that were drawn.
    """
    columns = {}
    for kind in OTHER:
        of_kind = [text["kind"] == kind for text in texts]
        chosen = [text["text"] if its else OTHER[kind] for text, its in zip(texts, of_kind, strict=True)]
        ends = [text["finish"] if its else "stop" for text, its in zip(texts, of_kind, strict=True)]
        columns[kind] = pl.Series(chosen, dtype=pl.String)
        columns[f"{kind}_finish"] = pl.Series(ends if with_finish else [None] * len(ends), dtype=pl.String)
    reasons = check(Batch(**columns), Curation()).reasons
    return np.logical_or.reduce(list(reasons.values()))


def measure() -> list[Figure]:
    """The shares of the bad texts that are found, by label, and of the good ones that are kept."""
    texts = read()
    taken, alone = rejected(texts), rejected(texts, with_finish=False)
    figures = []
    for label in (*BAD, "gibberish", "other"):
        if not (places := _with(texts, label)).any():
            continue
        note = f"{places.sum()} read; {alone[places].mean():.1%} by the text alone, without the reason why it ended"
        figures.append(Figure(f"drawn texts, {label}, found", float(taken[places].mean()), note=note))
    bad, good = _with(texts, *BAD), _with(texts, "good")
    return [
        Figure("drawn texts with a loop, a cut or a leak, found", float(taken[bad].mean()), least=FOUND),
        *figures,
        Figure("drawn texts that are good, kept", float(1 - taken[good].mean()), note=f"{good.sum()} read"),
    ]


def _with(texts: list[dict[str, Any]], *labels: str) -> np.ndarray:
    return np.array([not set(text["labels"]).isdisjoint(labels) for text in texts])
