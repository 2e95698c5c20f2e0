"""The examples of the checks have the reasons that they name."""

import numpy as np
import polars as pl
import pytest

from tests.curation.rows import row, shard
from tuner.curation.columns import bits
from tuner.curation.examine import examine
from tuner.curation.reasons import REASONS, SINGLE_ROW_REASONS
from tuner.curation.settings import CHECKS, Curation
from tuner.rows import THOUGHTS

EXAMPLES = [(name, number) for name, check in CHECKS.items() for number in range(len(check.examples))]


@pytest.mark.parametrize(("name", "number"), EXAMPLES, ids=[f"{name}-{number}" for name, number in EXAMPLES])
def test_an_example_has_the_reasons_that_it_names(name, number, tmp_path):
    example = CHECKS[name].examples[number]
    finishes = {f"{text}_finish": "length" if text == example.cut else "stop" for text in ("instruction", "response")}
    made = row(0, example.instruction, example.response, thoughts=example.thoughts, **finishes)
    rows = shard([made], tmp_path / "rows.parquet")
    # The reasons of other checks are ignored.
    curation = Curation.model_validate({name: example.settings})
    examine(rows, curation, tmp_path, [THOUGHTS])
    checks = pl.read_parquet(tmp_path / "checks.parquet")
    reasons = {*checks["reasons"][0], *checks["marks"][0]} & set(CHECKS[name].reasons)
    assert reasons == set(example.reasons)


@pytest.mark.parametrize("name", [name for name, check in CHECKS.items() if check.reasons])
def test_a_check_has_examples_that_pass_and_that_fail(name):
    passing = [example for example in CHECKS[name].examples if not example.reasons]
    failing = [example for example in CHECKS[name].examples if example.reasons]
    assert len(passing) >= 3 and len(failing) >= 3
    assert {reason for example in failing for reason in example.reasons} == set(CHECKS[name].reasons)


def test_no_reason_belongs_to_two_checks():
    names = [name for check in CHECKS.values() for name in [*check.reasons, *check.choices]]
    assert len(names) == len(set(names)) == len(REASONS)
    assert list(REASONS)[: len(SINGLE_ROW_REASONS)] == list(SINGLE_ROW_REASONS)


def test_reasons_are_stored_by_name_and_read_back_in_any_order(tmp_path, monkeypatch):
    rows = shard([row(0, "", "A short answer."), row(1)], tmp_path / "rows.parquet")
    examine(rows, Curation(), tmp_path)
    stored = pl.read_parquet(tmp_path / "checks.parquet", columns=["reasons"]).to_arrow()["reasons"]
    assert stored.to_pylist()[0] == ["empty_instruction"]
    turned = {name: np.uint64(1) << np.uint64(place) for place, name in enumerate(reversed(REASONS))}
    monkeypatch.setattr(bits, "_BIT", turned)
    assert bits.counts(bits.of(stored))["empty_instruction"] == 1
