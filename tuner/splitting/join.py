"""Clusters of near sets: the connected components of the graph whose edges are all pairs of near sets. Exact.

A similarity join with prefix filtering: near sets share one of their rarest values, so only sets that do are compared
(`overlap.bounds`). Positional filtering skips whole groups of candidates by where the shared value stands in both sets
(Xiao et al. 2008, "Efficient similarity joins for near duplicate detection"). Sets already in one component are not
compared, since only components are wanted: 100,000 variants of one template take linear time.

20,000 instructions of 51 words take 1.3 us each, responses of 164 words 5 us. The product of SciPy's sparse matrix of
texts and n-grams with itself takes 58 and 203 us, and is quadratic in time and memory for a template.
"""

import numpy as np
from numba import njit

from tuner.curation.columns.forest import find, roots, unite
from tuner.curation.columns.ngrams import Sets, shared
from tuner.curation.columns.words import I32, I64, U64
from tuner.splitting.overlap import bounds
from tuner.splitting.shingles import FREQUENCY_SHIFT

# Index entries in memory at once: about 20 bytes each, and as much again to sort them.
_ENTRIES = 4_000_000


def components(sets: Sets, similarity: float) -> I64:
    """Finds the components.

    Args:
        sets: The sets; equal ones are near.
        similarity: The Jaccard similarity from which two sets are near.

    Returns:
        The label of each set's component: the lowest index of a set in it, shape (sets,).
    """
    needed, prefixes = bounds(sets, similarity)
    parents = np.arange(len(sets), dtype=np.int64)
    parts = 1 + int(prefixes[np.diff(sets.offsets)].sum()) // _ENTRIES
    for part in range(parts):
        keys, owners, places = _entries(sets.values, sets.offsets, prefixes, part, parts)
        order = np.argsort(keys)
        _unite(keys[order], owners[order], places[order], sets.values, sets.offsets, needed, parents)
    return roots(parents)


@njit(cache=True, nogil=True)
def _entries(values: U64, offsets: I64, prefixes: I64, part: int, parts: int) -> tuple[U64, I32, I32]:
    """The prefix values of one part of the index, with their sets and places; values that occur once are left out."""
    this_part, part_count = np.uint64(part), np.uint64(parts)
    total = 0
    keys, owners, places = np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int32)
    for counting in (True, False):
        if not counting:
            keys, owners, places = np.empty(total, np.uint64), np.empty(total, np.int32), np.empty(total, np.int32)
            total = 0
        for item in range(offsets.size - 1):
            begin = offsets[item]
            for place in range(prefixes[offsets[item + 1] - begin]):
                value = values[begin + place]
                if value >> FREQUENCY_SHIFT and value % part_count == this_part:
                    if not counting:
                        keys[total], owners[total], places[total] = value, item, place
                    total += 1
    return keys, owners, places


@njit(cache=True, nogil=True)
def _unite(keys: U64, owners: I32, places: I32, values: U64, offsets: I64, needed: I64, parents: I64) -> None:
    """Unites near sets: compares, for every value of the index, the sets that share it."""
    largest, begin = 0, 0
    for at in range(1, keys.size + 1):
        if at == keys.size or keys[at] != keys[begin]:
            largest, begin = max(largest, at - begin), at
    scratch = np.empty((7, largest), np.int32)
    begin = 0
    for at in range(1, keys.size + 1):
        if at == keys.size or keys[at] != keys[begin]:
            if at - begin > 1:
                _group(owners[begin:at], places[begin:at], values, offsets, needed, parents, scratch)
            begin = at


@njit(cache=True, nogil=True)
def _group(owners: I32, places: I32, values: U64, offsets: I64, needed: I64, parents: I64, scratch: I32) -> None:
    """Unites near sets among those that share one value.

    The members so far are grouped into classes of equal set size and equal place of the value, and within a class into
    lists whose members are in one component: a list is skipped once one member is near, and merged with the other
    lists that have a near member.
    """
    class_size, class_place, class_list = scratch[0], scratch[1], scratch[2]
    list_first, list_last, list_next, member_next = scratch[3], scratch[4], scratch[5], scratch[6]
    classes = 0
    for member in range(owners.size):
        item, place = np.int64(owners[member]), np.int64(places[member])
        begin, end = offsets[item], offsets[item + 1]
        size = end - begin
        own, own_list = -1, -1
        for other in range(classes):
            other_size, other_place = np.int64(class_size[other]), np.int64(class_place[other])
            same = other_size == size and other_place == place
            if same:
                own = other
            need = needed[size + other_size]
            # An upper bound only if this is the first value that both share; a near pair is always found at that one.
            if min(size - place, other_size - other_place) < need:
                continue
            home, before, current = -1, -1, class_list[other]
            while current != -1:
                following = list_next[current]
                near = find(parents, owners[list_first[current]]) == find(parents, item)
                partner = -1 if near else list_first[current]
                while partner != -1:
                    node = np.int64(owners[partner])
                    then, stop = offsets[node] + other_place, offsets[node + 1]
                    if shared(values, begin + place, end, then, stop, need) >= 0:
                        unite(parents, item, node)
                        near = True
                        break
                    partner = member_next[partner]
                if near and home != -1:
                    member_next[list_last[home]] = list_first[current]
                    list_last[home] = list_last[current]
                    list_next[before] = following
                else:
                    if near:
                        home = current
                    before = current
                current = following
            if same:
                own_list = home
        member_next[member] = -1
        if own == -1:
            own = classes
            class_size[own], class_place[own], class_list[own] = size, place, -1
            classes += 1
        if own_list == -1:
            list_first[member], list_last[member], list_next[member] = member, member, class_list[own]
            class_list[own] = member
        else:
            member_next[list_last[own_list]] = member
            list_last[own_list] = member
