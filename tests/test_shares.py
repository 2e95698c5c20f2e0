"""Shares have the intervals of Wilson and differ by that of Newcombe; the figures are those of the literature."""

import pytest

from tuner.shares import Share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=5e-5)


def test_a_difference_has_the_hybrid_interval() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:873), table II: 56/70 - 48/80 is 0.0524 to 0.3339, 9/10 - 3/10 is
    # 0.1705 to 0.8090, and 6/7 - 2/7 is 0.0582 to 0.8062; 5/56 - 0/29 is -0.0381 to 0.1926.
    assert Share(56, 70).exceeds(Share(48, 80))
    assert Share(9, 10).exceeds(Share(3, 10))
    assert Share(6, 7).exceeds(Share(2, 7))
    assert not Share(5, 56).exceeds(Share(0, 29))
    assert not Share(48, 80).exceeds(Share(56, 70))
    assert not Share(3, 4).exceeds(Share(3, 4))


def test_a_small_share_is_not_surely_above_a_bound() -> None:
    assert not Share(7, 16).surely_above(1 / 3)
    assert Share(70, 160).surely_above(1 / 3)


def test_a_share_is_shown_with_its_interval() -> None:
    assert str(Share(60, 64)) == "94% (85 to 98)"
