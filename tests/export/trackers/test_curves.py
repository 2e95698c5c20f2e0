"""What trackers get of a run: learning curves and figures, and nothing private."""

from datetime import datetime

import pytest

from tests.export.trackers.conftest import LOSSES, STEPS, loss_at
from tests.hollow import hollow
from tuner.errors import InputError
from tuner.export.trackers import curves
from tuner.registry import planned
from tuner.runs import recipe_of
from tuner.training.metrics import Swept, Trial


def test_every_adapter_and_the_base_have_a_curve(store, made):
    read = curves.read(store, made())
    assert [curve.name for curve in read] == ["first/lora", "first/prompt", "first/base"]
    assert [len(curve.steps) for curve in read] == [STEPS, STEPS, 0]


def test_a_curve_has_the_steps_of_the_training_with_their_times(store, made):
    record = made()
    curve = curves.read(store, record)[0]
    manifest = store.find("train", planned(recipe_of(record)).of("train")[0].fingerprint)
    began = datetime.fromisoformat(manifest.provenance["started"]).timestamp()
    step = curve.steps[7]
    assert (step.number, step.time) == (8, began + 4)
    assert step.values == {
        "train/loss": loss_at(8),
        "train/epoch": 8 / 400,
        "train/learning_rate": 1e-3 / 8,
        "train/seconds": 4.0,
    }


def test_figures_are_those_of_training_and_evaluation_without_what_could_not_be_computed(store, made):
    lora, _, base = curves.read(store, made())
    assert lora.figures["trained/train_loss"] == 1.0625
    assert lora.figures["held_out/loss"] == LOSSES["lora"]
    assert lora.figures["held_out/low"] == LOSSES["lora"] - 0.125
    assert "held_out/high" not in lora.figures
    assert lora.figures["held_out/against_base/minus_base"] == -0.25
    assert lora.figures["held_out/against_base/p"] == 0.03125
    assert lora.figures["speed/merged/tokens_per_second"] == lora.figures["speed/separate/tokens_per_second"] == 32
    assert lora.last.number == STEPS
    assert base.figures == {
        "held_out/loss": 1.5,
        "held_out/low": 1.375,
        "held_out/tokens": 900,
        "held_out/rows": 20,
    }


def test_settings_are_those_of_the_method_and_the_public_name_of_the_student(store, made, tiny):
    lora = curves.read(store, made(overrides=(f"models.student={tiny}",)))[0]
    assert lora.settings["student"] == f"./{tiny.name}"
    assert str(tiny.parent) not in str(lora)
    assert {key: lora.settings[key] for key in ("method", "r", "seed", "quantization", "packing")} == {
        "method": "lora",
        "r": 4,
        "seed": 42,
        "quantization": "null",
        "packing": False,
    }


def test_the_settings_of_a_sweep_are_those_of_the_trial_that_was_taken(store, made):
    taken = hollow(Trial, settings={"learning_rate": 0.03, "r": 8})
    swept = Swept(trials=(hollow(Trial, settings={"learning_rate": 0.1, "r": 2}), taken), winner=1)
    overrides = ("training.lora.sweep={learning_rate: [0.1, 0.03], r: [2, 8]}", "training.lora.seeds=2")
    found = {each.subject: each.settings for each in curves.read(store, made("train", overrides, swept=swept))}
    named = {label: [found[label][key] for key in ("learning_rate", "r", "seed")] for label in ("lora", "lora#2")}
    assert named == {"lora": [0.03, 8, 42], "lora#2": [0.03, 8, 43]}
    assert "sweep" not in found["lora"]


def test_a_run_that_is_not_evaluated_has_the_curves_of_its_adapters(store, made):
    before = curves.read(store, made("train"))
    assert [curve.subject for curve in before] == ["lora", "prompt"]
    assert not any("held_out" in name for curve in before for name in curve.figures)
    after = curves.read(store, made())
    assert [curve.digest for curve in after[:2]] != [curve.digest for curve in before]
    assert [curve.digest for curve in curves.read(store, made())] == [curve.digest for curve in after]


def test_a_run_without_an_adapter_is_refused(store, made):
    with pytest.raises(InputError, match=r"^first: has no trained adapter yet \(state: completed, until split\)"):
        curves.read(store, made("split"))


def test_artifacts_of_an_earlier_version_are_found_by_the_run_s_record(store, made):
    record = made()
    wanted = planned(recipe_of(record))
    for stage in ("train", "evaluate"):
        for part in wanted.of(stage):
            entry = {"stage": stage, "label": part.label, "fingerprint": part.fingerprint, "outcome": "made"}
            record["artifacts"].append(entry)
    # Another seed plans other artifacts, as another version of the program does.
    read = curves.read(store, {**record, "recipe": {**record["recipe"], "seed": 7}})
    assert [curve.subject for curve in read] == ["lora", "prompt", "base"]
