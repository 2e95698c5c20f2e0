"""Numbers, intervals and quantities as text."""

import pytest

from tuner.report.wording import Estimate, count, duration, finite, interval, percent, signed, size


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.2112, -0.1203, "(95 % interval \N{MINUS SIGN}0.21 to \N{MINUS SIGN}0.12)"),
        (1.3487, 1.7261, "(95 % interval 1.35 to 1.73)"),
        (-0.0041, -0.0013, "(95 % interval \N{MINUS SIGN}0.004 to \N{MINUS SIGN}0.001)"),
        (-0.5, 0.00004, "(95 % interval \N{MINUS SIGN}0.50000 to 0.00004)"),
        (None, None, "(no interval could be computed)"),
    ],
)
def test_an_interval_shows_on_which_side_of_zero_it_lies(low, high, text):
    assert interval(Estimate(-0.1, low, high)) == text


def test_a_difference_has_the_decimals_its_interval_needs():
    assert signed(Estimate(-0.16471, -0.2, -0.1)) == "\N{MINUS SIGN}0.165"
    assert signed(Estimate(0.00021, 0.00011, 0.00032)) == "+0.0002"


def test_flipping_negates_and_swaps_the_ends():
    assert Estimate(-0.1, -0.3, 0.2).flipped() == Estimate(0.1, -0.2, 0.3)


def test_anything_but_a_finite_number_is_none():
    assert [finite(value) for value in (float("nan"), float("inf"), None, "x", 3)] == [None, None, None, None, 3.0]


def test_quantities_have_a_readable_unit():
    assert [duration(s) for s in (4.25, 59, 91.3, 7200)] == ["4.2 s", "59 s", "1.5 min", "2.0 h"]
    assert [size(b) for b in (312, 49_080, 9_771_960, 312_500_000, 5.31e9)] == [
        "312 bytes",
        "49.1 kB",
        "9.8 MB",
        "312 MB",
        "5.31 GB",
    ]
    assert [percent(p) for p in (0.708, 0.0178, 0.0000856, 0)] == ["70.8 %", "1.78 %", "0.0086 %", "0.00 %"]
    assert count(12_156_928) == "12,156,928"
