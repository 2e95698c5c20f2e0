"""Masks in columns of JSON, which has to stay JSON."""

import orjson
import polars as pl

from tuner.curation.detectors import personal_data
from tuner.curation.json_values import masked


def test_what_is_left_is_json():
    tools = [
        {"name": "mail", "about": 'Ask\nkim.olsen@firma.no\t"first"', "default": {"phone": 4915112345678, "n": 3}},
        {"card": ["4539 1488 0343 6467", None, True, 1.5], "kim@firma.no": "sum"},
    ]
    text = orjson.dumps(tools).decode()
    changed, nothing, same = masked(pl.Series([text, None, '[ {"name": "sum"} ]']), personal_data.redact)
    assert orjson.loads(changed) == [
        {"name": "mail", "about": 'Ask\n[EMAIL]\t"first"', "default": {"phone": "[PHONE]", "n": 3}},
        {"card": ["[CARD]", None, True, 1.5], "[EMAIL]": "sum"},
    ]
    assert (nothing, same) == (None, '[ {"name": "sum"} ]')


def test_a_column_without_values_stays():
    assert masked(pl.Series([None, None], dtype=pl.String), personal_data.redact).to_list() == [None, None]
