"""The Prefect UI shows a stage's metrics as readable figures."""

from tasks.display import figures


def test_groups_become_rows_and_zeros_of_a_group_are_left_out() -> None:
    metrics = {"rows": 12_345, "reasons": {"toxic": 0, "too_long": 3}, "kept": 0, "languages": {}}
    assert list(figures(metrics)) == [("rows", "12,345"), ("reasons, too long", "3"), ("kept", "0")]


def test_groups_in_a_list_are_named_by_their_texts() -> None:
    metrics = {"differences": [{"a": "lora", "b": "base", "difference": -0.123456789, "low": None}]}
    assert list(figures(metrics)) == [
        ("differences lora to base, difference", "\N{MINUS SIGN}0.1235"),
        ("differences lora to base, low", "—"),
    ]


def test_figures_have_four_significant_digits() -> None:
    metrics = {"a": 1234.5678, "b": 0.000123456, "c": 0.0, "d": True, "e": "float32", "f": [1, 2], "g": float("nan")}
    assert dict(figures(metrics)) == {
        "a": "1,235",
        "b": "0.0001235",
        "c": "0.0",
        "d": "yes",
        "e": "float32",
        "f": "1, 2",
        "g": "nan",
    }
