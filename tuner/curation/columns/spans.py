"""Places in a text: which of those found by one rule are left free by the rules before it."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""Beginning and end, in characters, the end exclusive."""


def free(taken: Sequence[Span], spans: Iterable[Span]) -> list[Span]:
    """Those spans that overlap none that is taken.

    Args:
        taken: In order, none overlapping another.
        spans: In any order.
    """
    begins, ends = [begin for begin, _ in taken], [end for _, end in taken]
    return [(begin, end) for begin, end in spans if (at := bisect_left(begins, end)) == 0 or ends[at - 1] <= begin]


def around(spans: Iterable[Span], margin: int, size: int) -> list[Span]:
    """The parts of a text of `size` characters that lie within a margin of spans: in order, apart from each other."""
    parts: list[Span] = []
    for begin, end in sorted(spans):
        begin, end = max(0, begin - margin), min(size, end + margin)
        if parts and begin <= parts[-1][1]:
            begin, last = parts.pop()
            end = max(end, last)
        parts.append((begin, end))
    return parts
