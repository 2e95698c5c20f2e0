"""Equal work has one fingerprint, and whatever decides the result changes the fingerprint."""

import dataclasses
import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.artifacts.fingerprint import Spec, canonical_json

SPEC = Spec("train", 3, {"rate": 2e-4, "r": 8, "name": "größe ✓"}, {"data": "ab", "shards": ["c", "d"]}, "lora")

CANONICAL = (
    b'{"identity":{"name":"gr\\u00f6\\u00dfe \\u2713","r":8,"rate":0.0002},'
    b'"inputs":{"data":"ab","shards":["c","d"]},"stage":"train","version":3}'
)
"""The canonical JSON of `SPEC`. If it changed, every artifact of every store would be recomputed."""

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_a_fingerprint_is_the_sha256_of_the_canonical_json() -> None:
    assert SPEC.fingerprint == hashlib.sha256(CANONICAL).hexdigest()


def test_canonical_json_has_sorted_keys_ascii_and_no_white_space() -> None:
    assert canonical_json({"b": (1, 2.5, None), "a": {"ü": True}}) == '{"a":{"\\u00fc":true},"b":[1,2.5,null]}'


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=6))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@given(VALUES)
def test_canonical_json_is_ascii_and_reads_back_as_the_value(value: Any) -> None:
    text = canonical_json(value)
    assert text.isascii()
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_a_whole_float_is_the_integer(number: int) -> None:
    assert canonical_json(float(number)) == canonical_json(number)


def test_true_is_not_one() -> None:
    assert canonical_json(True) != canonical_json(1)


@given(st.text(max_size=20), st.text(max_size=20))
def test_different_texts_have_different_canonical_json(one: str, other: str) -> None:
    assert (canonical_json(one) == canonical_json(other)) == (one == other)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, b"x", object(), range(3)])
def test_a_value_without_a_unique_representation_is_refused_with_its_path(value: Any) -> None:
    with pytest.raises(TypeError, match=r"\$\.a\[1\]\.b: .* has no unique JSON representation"):
        canonical_json({"a": [0, {"b": value}]})


@pytest.mark.parametrize("key", [1, None, True, ("a",)])
def test_a_key_that_is_no_string_is_refused_with_its_path(key: Any) -> None:
    with pytest.raises(TypeError, match=r"\$\.a: the key .* is not a string"):
        canonical_json({"a": {key: 1}})


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "evaluate"},
        {"version": 4},
        {"identity": {**SPEC.identity, "rate": 3e-4}},
        {"identity": {**SPEC.identity, "new": None}},
        {"identity": {key: value for key, value in SPEC.identity.items() if key != "r"}},
        {"inputs": {**SPEC.inputs, "data": "ac"}},
        {"inputs": {**SPEC.inputs, "shards": ["d", "c"]}},
        {"inputs": {"data": "ab"}},
    ],
)
def test_whatever_decides_the_result_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert dataclasses.replace(SPEC, **change).fingerprint != SPEC.fingerprint


def test_label_and_order_of_keys_do_not_change_the_fingerprint() -> None:
    assert dataclasses.replace(SPEC, label="other").fingerprint == SPEC.fingerprint
    reordered = dataclasses.replace(SPEC, identity=dict(reversed(list(SPEC.identity.items()))))
    assert reordered.fingerprint == SPEC.fingerprint
