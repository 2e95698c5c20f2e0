"""The counting table against Python's own, over texts that share it."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tuner.curation.columns import tally

# The last ones begin at one slot, whatever the size of the table.
KEY = st.sampled_from([0, 1, 2, 2**64 - 1, 2**32, 2**33, 2**34, 2**40 + 2**32])


@given(st.lists(st.lists(KEY, max_size=20), max_size=5), st.integers(1, 100))
def test_each_text_is_counted_by_itself(texts, stamp):
    table = tally.table(max(map(len, texts), default=0))
    for number, text in enumerate(texts):
        slots = tally.slots_for(len(text))
        seen = Counter()
        for key in text:
            seen[key] += 1
            assert tally.count(table, slots, stamp + number, np.uint64(key)) == seen[key]
        for key in (0, 3, 2**40 + 2**32):
            assert tally.counted(table, slots, stamp + number, np.uint64(key)) == seen[key]
