"""Decontamination: rows that contain benchmark prompts.

Texts are compared by their words: letters and digits, case-folded, without other characters. A row overlaps a prompt

- if they share 13 words in a row (GPT-3, arXiv 2005.14165, appendix C), or
- if at least 70 % of the prompt's different 8-grams occur in the row (PaLM, arXiv 2204.02311, section 8). A prompt of
  fewer than 8 words is compared whole: only an equal instruction overlaps it.

It is near a prompt if the Jaccard similarity of the sets of 5-grams of its instruction and the prompt reaches a limit;
a shorter text is one phrase. An 8-gram in more than 100 different prompts is a template and ignored; GPT-3
ignores n-grams that collide more than 10 times, but ten questions about one passage are common.

All rows are looked up in sorted hashes at once; the few that may share enough are then compared in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np

from tuner.curation.checks.decontamination import Decontamination
from tuner.curation.columns import plain_words
from tuner.curation.columns.batch import Batch, Findings, Flags
from tuner.curation.columns.ngrams import Sets, sets_of
from tuner.curation.columns.rare import joined
from tuner.curation.columns.words import I64, U64, phrases
from tuner.curation.detectors import prompts
from tuner.curation.detectors.benchmark_index import GRAM, SHINGLE, Benchmarks, Grams, index

RUN = 13
"""Consecutive shared words that are an overlap."""
COVERAGE_TENTHS = 7
"""The share of a prompt's phrases that is an overlap, in tenths."""
SHOWN = 200
"""Characters of an overlap that are recorded."""


@dataclass(frozen=True)
class _Overlap:
    """The words that a row shares with a prompt: `size` words from `start`, in a text of the row (0 or 1)."""

    prompt: int
    text: int
    start: int
    size: int


def load(settings: Decontamination) -> Benchmarks:
    """Reads and indexes the prompts that a recipe names, the same files once per process.

    Raises:
        InputError: If a file is missing or does not contain prompts.
    """
    marks = tuple(digest["sha256"] for digest in prompts.digests(settings.against))
    return _loaded(settings.against, marks, settings.similarity)


@lru_cache(maxsize=2)
def _loaded(against: tuple[str, ...], _marks: tuple[str, ...], similarity: float) -> Benchmarks:
    return index(prompts.read(against), similarity)


def check(batch: Batch, benchmarks: Benchmarks) -> Findings:
    """Looks for benchmark prompts in every row.

    Returns:
        The reasons `benchmark_overlap` and `near_benchmark`; the scores `benchmark` (the prompt, `file:number`) and
        `benchmark_overlap` (the words shared with it, at most 200 characters), null if the row has neither reason.
    """
    texts = (batch.normal_instruction, batch.normal_response)
    words = tuple(plain_words.split(text) for text in texts)
    grams = tuple(phrases(each, GRAM) for each in words)
    shingles = sets_of(words[0], SHINGLE)
    may_overlap, may_be_near = _may_overlap(grams, benchmarks.grams), _may_be_near(shingles, benchmarks)

    overlaps, near = np.zeros(len(batch), np.bool_), np.zeros(len(batch), np.bool_)
    named: dict[int, list[str]] = {}
    shown: dict[int, list[str]] = {}
    for row in np.flatnonzero(may_overlap | may_be_near).tolist():
        # A response shorter than a phrase is skipped, since only instructions are compared whole.
        pieces = [_of(each, row) for each in (grams if words[1].counts[row] >= GRAM else grams[:1])]
        overlap = _overlap(benchmarks, pieces) if may_overlap[row] else None
        prompt = _nearest(benchmarks, _of((shingles.values, shingles.offsets), row)) if may_be_near[row] else None
        overlaps[row], near[row] = overlap is not None, prompt is not None
        if overlap is None and prompt is not None:
            overlap = _longest(benchmarks, prompt, _of((words[0].hashes, words[0].offsets), row))
        if overlap is not None:
            named[row] = [benchmarks.names[overlap.prompt]]
            shown[row] = [plain_words.excerpt(texts[overlap.text][row], overlap.start, overlap.size)[:SHOWN]]
    return Findings(
        {"benchmark_overlap": overlaps, "near_benchmark": near},
        {
            "benchmark": joined("benchmark", len(batch), named, " "),
            "benchmark_overlap": joined("benchmark_overlap", len(batch), shown, " "),
        },
    )


def _may_overlap(texts: Sequence[tuple[U64, I64]], grams: Grams) -> Flags:
    """Which rows may overlap: those with a long enough run, or share, of known phrases. It never misses one.

    Args:
        texts: The phrases of the instructions and of the responses, as `words.phrases` makes them.
        grams: The phrases of the prompts.

    Returns:
        Shape (rows,).
    """
    rows = texts[0][1].size - 1
    hits, longest = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    fewest = np.full(rows, np.iinfo(np.int64).max // 16)
    for hashes, offsets in texts:
        at, in_index = grams.known(hashes)
        row = np.searchsorted(offsets, at, "right") - 1
        hits += np.bincount(row, minlength=rows)
        np.minimum.at(fewest, row, grams.fewest[in_index])
        begins = np.flatnonzero((np.diff(at, prepend=-2) != 1) | (np.diff(row, prepend=-1) != 0))
        np.maximum.at(longest, row[begins], np.diff(begins, append=at.size))
    return (longest > RUN - GRAM) | ((hits > 0) & (10 * hits >= COVERAGE_TENTHS * fewest))


def _may_be_near(sets: Sets, benchmarks: Benchmarks) -> Flags:
    """Which sets share enough phrases with the prompts to reach the similarity, shape (sets,)."""
    at, _ = benchmarks.shingles.known(sets.values)
    known = np.bincount(np.searchsorted(sets.offsets, at, "right") - 1, minlength=len(sets))
    return (known > 0) & (known >= benchmarks.similarity * np.diff(sets.offsets))


def _of(grams: tuple[U64, I64], row: int) -> U64:
    return grams[0][grams[1][row] : grams[1][row + 1]]


def _matches(grams: Grams, hashes: U64) -> tuple[I64, I64]:
    """The indices of all pairs of equal phrases in `hashes` and `grams`."""
    low, high = np.searchsorted(grams.hashes, hashes, "left"), np.searchsorted(grams.hashes, hashes, "right")
    counts = high - low
    ours = np.repeat(np.arange(hashes.size), counts)
    return ours, np.arange(ours.size) - np.repeat(np.cumsum(counts) - counts, counts) + low[ours]


def _overlap(benchmarks: Benchmarks, texts: Sequence[U64]) -> _Overlap | None:
    """The longest run of words that a row shares with a prompt that it overlaps; None if it overlaps none."""
    covered = []
    runs: dict[int, _Overlap] = {}
    for text, hashes in enumerate(texts):
        starts, matched = _matches(benchmarks.grams, hashes)
        covered.append(matched)
        for run in _runs(benchmarks, starts, matched, text):
            if run.prompt not in runs or runs[run.prompt].size < run.size:
                runs[run.prompt] = run
    seen = np.unique(np.concatenate(covered))
    owners, counts = np.unique(benchmarks.grams.owners[seen[benchmarks.grams.first[seen]]], return_counts=True)
    enough = owners[10 * counts >= COVERAGE_TENTHS * benchmarks.grams.sizes[owners]].tolist()
    overlapping = (run for run in runs.values() if run.size >= RUN or run.prompt in enough)
    return max(overlapping, key=lambda run: (run.size, -run.prompt), default=None)


def _runs(benchmarks: Benchmarks, starts: I64, matched: I64, text: int) -> list[_Overlap]:
    """The runs of words that a text and a prompt share, from the positions of their common phrases."""
    if not starts.size:
        return []
    places = benchmarks.grams.places[matched]
    order = np.lexsort((starts, places - starts))
    starts, places, owners = starts[order], places[order], benchmarks.grams.owners[matched][order]
    breaks = np.flatnonzero((np.diff(starts) != 1) | (np.diff(places) != 1) | (np.diff(owners) != 0)) + 1
    begins, ends = np.append(0, breaks), np.append(breaks, starts.size)
    lengths = np.minimum(np.diff(benchmarks.offsets)[owners[begins]], GRAM) + ends - begins - 1
    return [_Overlap(int(owners[i]), text, int(starts[i]), int(size)) for i, size in zip(begins, lengths, strict=True)]


def _nearest(benchmarks: Benchmarks, hashes: U64) -> int | None:
    """The prompt whose set of phrases is most similar to an instruction's, if similar enough."""
    _, matched = _matches(benchmarks.shingles, hashes)
    owners, shared = np.unique(benchmarks.shingles.owners[matched], return_counts=True)
    jaccard = shared / (hashes.size + benchmarks.shingles.sizes[owners] - shared)
    best = int(np.argmax(jaccard)) if owners.size else -1
    return int(owners[best]) if owners.size and jaccard[best] >= benchmarks.similarity else None


def _longest(benchmarks: Benchmarks, prompt: int, words: U64) -> _Overlap:
    """The longest run of words that an instruction and a prompt share."""
    asked = benchmarks.words[benchmarks.offsets[prompt] : benchmarks.offsets[prompt + 1]]
    match = SequenceMatcher(None, words.tolist(), asked.tolist(), autojunk=False).find_longest_match()
    return _Overlap(prompt, 0, match.a, match.size)
