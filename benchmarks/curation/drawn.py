"""Texts that the default model drew, labelled by reading: which bad ones are found, and which good ones kept.

All are SmolLM2-135M-Instruct's. The rules were adjusted after looking at those of `drawn.jsonl`: instructions by Magpie
and the responses to them, at temperature 1.5 and at those of the quickstart's recipe; and, where `how` is given, texts
that were drawn so that more of them are bad. `drawn_heldout.jsonl` was drawn in the same ways, with other seeds,
questions and openings. The rules for loops were finished before its texts were read. Those for leaks were written after
that and before any rule was run on it, so that they may owe something to the reading; one was narrowed later, since it
took good instructions.

`how` says in what way a text was drawn:

- `chat`: responses to questions of public sets, at low temperatures, where the model loops;
- `magpie`: instructions by Magpie;
- `endless`: Magpie without the token that ends the turn, so that further turns follow;
- `foreign`: another model's template around the question, or where the instruction is to begin;
- `mid`: instructions drawn behind the opening of a step of a solution, which half of the texts hold.

Each line has `kind` (`instruction` or `response`), `text`, `finish` (`length` if the limit of tokens cut it off),
`temperature` and `labels`:

- `good`: a whole text that could be a row's, right or wrong;
- `loop`: it says the same over and over;
- `cut`: it ends in the middle of a sentence, a list or code, or the limit cut it off between two;
- `leak`: tokens or turns of a template, or the other role's words, such as an instruction that answers or
  begins within a solution;
- `gibberish`: its words make no sense;
- `other`: anything else that is wrong.

A text is judged in a row whose other text is good.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.curation.figures import Figure
from tuner.curation.columns.batch import Batch
from tuner.curation.examine import check
from tuner.curation.settings import Curation

FILES = {"drawn": "drawn.jsonl", "held-out": "drawn_heldout.jsonl"}
"""The files by what their texts are called."""
BAD = ("loop", "cut", "leak")
"""The labels of what is looked for."""
FOUND = 0.95

OTHER = {
    "instruction": "How does a baker know that the bread in the oven is done?",
    "response": (
        "A baker takes the loaf out, turns it over and knocks on its bottom. If it sounds hollow, the bread is done; "
        "if the sound is dull, it goes back into the oven for a few minutes and is tried again."
    ),
}
"""The good text beside the one that is judged."""


def read(name: str) -> list[dict[str, Any]]:
    """The labelled texts of a name of `FILES`."""
    return [json.loads(line) for line in Path(__file__).with_name(FILES[name]).read_text("utf-8").split("\n") if line]


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
    """The shares of the bad texts that are found, by label, and of the good ones that are kept, for each file."""
    return [figure for name in FILES for figure in _of_file(f"{name} texts", read(name))]


def _of_file(name: str, texts: list[dict[str, Any]]) -> Iterator[Figure]:
    taken, alone = rejected(texts), rejected(texts, with_finish=False)
    bad, good = _with(texts, *BAD), _with(texts, "good")
    yield Figure(
        f"{name} with a loop, a cut or a leak, found", float(taken[bad].mean()), least=FOUND, note=interval(taken[bad])
    )
    for label in (*BAD, "gibberish", "other"):
        if (places := _with(texts, label)).any():
            yield Figure(f"{name}, {label}, found", float(taken[places].mean()), note=interval(taken[places]))
            # Whether a text was cut off is known of rows that this project drew, and of no others.
            yield Figure("  by the text alone", float(alone[places].mean()), note=interval(alone[places]))
    yield Figure(f"{name} that are good, kept", float(1 - taken[good].mean()), note=interval(~taken[good]))


def interval(hits: np.ndarray) -> str:
    """How many of how many, and Wilson's interval of 95 % for the share (E. B. Wilson, 1927)."""
    from scipy.stats import binomtest

    low, high = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return f"{hits.sum()} of {len(hits)}, interval {low:.1%} to {high:.1%}"


def _with(texts: list[dict[str, Any]], *labels: str) -> np.ndarray:
    return np.array([not set(text["labels"]).isdisjoint(labels) for text in texts])
