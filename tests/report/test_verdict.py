"""The verdict: when an adapter wins, and how that is worded."""

import copy
from dataclasses import replace

import pytest

from tuner.report.contents import Difference, gather
from tuner.report.verdict import judge
from tuner.report.wording import Estimate

from .conftest import MEASURED

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def measured():
    return copy.deepcopy(MEASURED)


def set_difference(measured, a, b, difference, low, high):
    entry = next(d for d in measured["differences"] if (d["a"], d["b"]) == (a, b))
    entry.update(difference=difference, low=low, high=high)


def test_a_clear_winner(build):
    verdict = judge(gather(build()))
    assert verdict.winner == "lora"
    assert verdict.lines == (
        f"lora won with a held-out loss of 1.532: {MINUS}0.119 against prompt_tuning "
        f"(95 % interval {MINUS}0.15 to {MINUS}0.08). Each was trained with one seed.",
        f"Against the base model (1.697), lora is better: {MINUS}0.165 (95 % interval {MINUS}0.21 to {MINUS}0.12).",
        "Cost of lora: 1.5 min of training, 1.91 GB peak memory, an adapter of 9.8 MB, "
        "2,442,240 trainable parameters (1.78 % of the model).",
    )


def test_the_order_of_a_pair_does_not_matter(build, measured):
    pair = measured["differences"][2]
    pair.update(a="prompt_tuning", b="lora", difference=0.1188, low=0.0844, high=0.1523)
    assert judge(gather(build(measured))) == judge(gather(build()))


def test_a_tie_names_the_adapters_and_has_no_winner(build, measured):
    set_difference(measured, "lora", "prompt_tuning", -0.0188, -0.0523, 0.0144)
    verdict = judge(gather(build(measured)))
    assert verdict.winner is None
    assert verdict.lines[0] == (
        f"The data cannot tell lora and prompt_tuning apart: lora has the lowest held-out loss, 1.532, "
        f"but its difference to prompt_tuning is {MINUS}0.019 (95 % interval {MINUS}0.05 to 0.01)."
    )
    assert "lora is better" in verdict.lines[1] and "prompt_tuning is better" in verdict.lines[1]
    assert "lora: 1.5 min" in verdict.lines[2] and "of prompt_tuning: 1.3 min" in verdict.lines[2]


@pytest.mark.parametrize(("rows", "winner"), [(19, None), (20, "lora")])
def test_too_few_held_out_rows_give_no_winner(build, measured, rows, winner):
    for subject in measured["subjects"].values():
        subject["rows"] = rows
    verdict = judge(gather(build(measured)))
    assert verdict.winner == winner
    if winner is None:
        assert verdict.lines[0] == (
            "Too few rows to say: 19 rows held out; at least 20 are needed. "
            "lora has the lowest held-out loss, 1.532 (95 % interval 1.35 to 1.73)."
        )
        assert verdict.lines[1].startswith(
            f"Against the base model (1.697), lora: {MINUS}0.165 (95 % interval {MINUS}0.21 to {MINUS}0.12); prompt"
        )


def test_an_interval_that_ends_at_zero_is_no_win(build, measured):
    set_difference(measured, "lora", "prompt_tuning", -0.1, -0.2, 0.0)
    assert judge(gather(build(measured))).winner is None


def test_a_winner_that_is_worse_than_the_base_is_called_worse(build, measured):
    set_difference(measured, "lora", "base", 0.2, 0.1, 0.3)
    verdict = judge(gather(build(measured)))
    assert verdict.winner == "lora"
    assert "lora is worse: +0.200 (95 % interval 0.10 to 0.30)" in verdict.lines[1]


def test_no_difference_to_the_base_is_reported(build, measured):
    set_difference(measured, "lora", "base", -0.01, -0.1, 0.08)
    line = judge(gather(build(measured))).lines[1]
    assert f"lora is not shown to differ: {MINUS}0.010" in line


def test_one_adapter_alone(build):
    verdict = judge(gather(build(adapters=("prompt_tuning",))))
    assert verdict.winner == "prompt_tuning"
    assert verdict.lines[0] == (
        "prompt_tuning is the only adapter to judge: held-out loss 1.651 (95 % interval 1.46 to 1.85)."
    )


def test_without_intervals_there_is_no_winner(build, measured):
    for entry in [*measured["subjects"].values(), *measured["differences"]]:
        entry.update(low=None, high=None)
    verdict = judge(gather(build(measured)))
    assert verdict.winner is None
    assert "no interval could be computed" in verdict.lines[0]
    assert "is not shown to differ" in verdict.lines[1]


def test_a_diverged_adapter_is_named_and_never_wins(build, measured):
    measured["subjects"]["prompt_tuning"]["loss"] = float("nan")
    for entry in measured["differences"]:
        if "prompt_tuning" in (entry["a"], entry["b"]):
            entry.update(difference=float("nan"), low=None, high=None)
    verdict = judge(gather(build(measured)))
    assert verdict.winner == "lora"
    assert verdict.lines[0].endswith("prompt_tuning diverged: no finite held-out loss.")


def test_all_diverged(build, measured):
    for name in ("lora", "prompt_tuning"):
        measured["subjects"][name]["loss"] = float("inf")
    verdict = judge(gather(build(measured)))
    assert verdict.winner is None
    assert "training diverged" in verdict.lines[0]


def test_only_the_nearest_of_several_rivals_is_named(build, measured):
    inputs = build()
    recipe = inputs.recipe.model_copy(
        update={"training": {**inputs.recipe.training, "r64": inputs.recipe.training["lora"]}}
    )
    measured["subjects"]["r64"] = {**measured["subjects"]["lora"], "loss": 1.54}
    measured["differences"] += [
        {"a": "r64", "b": "base", "difference": -0.157, "low": -0.2, "high": -0.1, "p": 0.001},
        {"a": "r64", "b": "lora", "difference": 0.0076, "low": -0.01, "high": 0.02, "p": 0.4},
        {"a": "r64", "b": "prompt_tuning", "difference": -0.11, "low": -0.2, "high": -0.1, "p": 0.001},
    ]
    three = gather(build(measured))
    contents = replace(
        three,
        recipe=recipe,
        subjects=("base", "lora", "prompt_tuning", "r64"),
        losses={name: Estimate(entry["loss"]) for name, entry in measured["subjects"].items()},
        training=dict.fromkeys(recipe.training, three.training["lora"]),
    )
    verdict = judge(contents)
    assert verdict.winner is None
    assert verdict.lines[0].startswith("The data cannot tell lora and r64 apart")
    assert "prompt_tuning" not in " ".join(verdict.lines)
    contents = replace(
        contents,
        differences=(*contents.differences[:4], Difference("lora", "r64", Estimate(-0.01, -0.02, -0.005), 0.001)),
    )
    assert judge(contents).winner == "lora"
    assert "against r64, the next best" in judge(contents).lines[0]
