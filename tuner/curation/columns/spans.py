"""Spans of a text, and which of them do not overlap others."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""Beginning and end, in characters, the end exclusive."""


def free(taken: Sequence[Span], spans: Iterable[Span]) -> list[Span]:
    """The spans that overlap none of those taken.

    Args:
        taken: Sorted, not overlapping.
        spans: In any order.
    """
    begins, ends = [begin for begin, _ in taken], [end for _, end in taken]
    return [(begin, end) for begin, end in spans if (at := bisect_left(begins, end)) == 0 or ends[at - 1] <= begin]


def around(spans: Iterable[Span], margin: int, size: int) -> list[Span]:
    """The parts of a text of `size` characters within a margin of spans: sorted, not overlapping."""
    parts: list[Span] = []
    for begin, end in sorted(spans):
        begin, end = max(0, begin - margin), min(size, end + margin)
        if parts and begin <= parts[-1][1]:
            begin, last = parts.pop()
            end = max(end, last)
        parts.append((begin, end))
    return parts
