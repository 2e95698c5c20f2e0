"""Kept rows for the tests of the split, and a naive reference for when two texts are near."""

from collections import Counter
from pathlib import Path

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.curation.columns.text import normalise

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("messages", MESSAGES),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("instruction", pa.string()),
        ("response", pa.string()),
    ]
)


def row(row_id, instruction):
    prompt = [{"role": "user", "content": instruction}]
    completion = [{"role": "assistant", "content": f"answer {row_id}"}]
    return {
        "row_id": row_id,
        "messages": prompt + completion,
        "prompt": prompt,
        "completion": completion,
        "instruction": instruction,
        "response": completion[0]["content"],
    }


def rows(instructions, name="r"):
    return [row(f"{name}-{index}", instruction) for index, instruction in enumerate(instructions)]


def write(rows: list, path: Path) -> Path:
    parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path


def ngrams(text, size, templates=()):
    """The text's own n-grams: more than half of whose words are in none of a template; all if none is."""
    words = normalise(text).split()
    if len(words) < size:
        return {tuple(words)} if words else set()
    every = [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
    shared = {at + step for at, ngram in enumerate(every) if ngram in templates for step in range(size)}
    own = {ngram for at, ngram in enumerate(every) if 2 * len(shared & set(range(at, at + size))) < size}
    return own or set(every)


def templates(texts, size=5, least=8):
    """The n-grams that at least so many different texts have, and how many have each."""
    counts = Counter(ngram for text in {normalise(text) for text in texts} for ngram in ngrams(text, size))
    return {ngram: count for ngram, count in counts.items() if count >= least}


def jaccard(left, right, size=5, templates=()):
    """The Jaccard similarity of two texts' sets of own word n-grams; two empty texts are equal."""
    if normalise(left) == normalise(right):
        return 1.0
    left, right = ngrams(left, size, templates), ngrams(right, size, templates)
    union = len(left | right)
    return len(left & right) / union if union else 0.0


def near_pairs(left, right, similarity=0.5, size=5, templates=()):
    return {(a, b) for a in left for b in right if jaccard(a, b, size, templates) >= similarity}
