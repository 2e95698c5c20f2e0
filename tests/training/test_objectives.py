"""The objectives: the losses that TRL's trainers compute, chosen by name in a recipe."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tests.training.methods.made import made
from tuner.training.methods import METHODS
from tuner.training.objectives import OBJECTIVES, RATE, AnyObjective, Likelihoods, Objective

BATCH = Likelihoods(
    chosen=torch.tensor([-20.0, -31.0, -8.0]),
    rejected=torch.tensor([-25.0, -30.0, -9.5]),
    chosen_tokens=torch.tensor([10, 20, 4]),
    rejected_tokens=torch.tensor([12, 9, 7]),
    reference_chosen=torch.tensor([-22.0, -30.0, -8.0]),
    reference_rejected=torch.tensor([-24.0, -31.0, -9.0]),
    mismatched=torch.tensor([1.0, 3.0, -1.0]),
)


def objective(value: object) -> Objective:
    return TypeAdapter(AnyObjective).validate_python(value)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def rows() -> list[dict[str, float]]:
    fields = vars(BATCH)
    return [{name: float(tensor[row]) for name, tensor in fields.items()} for row in range(3)]


EXPECTED = {
    "dpo": lambda r: -math.log(sigmoid(0.1 * (r["c"] - r["rc"] - (r["r"] - r["rr"])))),
    "ipo": lambda r: ((r["c"] - r["rc"]) / r["nc"] - (r["r"] - r["rr"]) / r["nr"] - 5) ** 2,
    "kto": lambda r: (1 - sigmoid(0.1 * (r["c"] - r["rc"] - 1)) + 1 - sigmoid(0.1 * (1 - (r["r"] - r["rr"])))) / 2,
    "simpo": lambda r: -math.log(sigmoid(2 * (r["c"] / r["nc"] - r["r"] / r["nr"]) - 0.5)),
}
SHORT = {
    "chosen": "c",
    "rejected": "r",
    "reference_chosen": "rc",
    "reference_rejected": "rr",
    "chosen_tokens": "nc",
    "rejected_tokens": "nr",
    "mismatched": "m",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_losses_are_those_of_the_papers(name: str) -> None:
    plain = [{SHORT[key]: value for key, value in row.items()} for row in rows()]
    assert objective(name).loss(BATCH).tolist() == pytest.approx([EXPECTED[name](row) for row in plain], rel=1e-5)


def test_orpo_is_trls() -> None:
    from trl.experimental.orpo.orpo_trainer import ORPOTrainer

    chosen, rejected = BATCH.chosen / BATCH.chosen_tokens, BATCH.rejected / BATCH.rejected_tokens
    trainer: Any = SimpleNamespace(beta=0.1, accelerator=SimpleNamespace(device="cpu"))
    answers: Any = (chosen, rejected)
    ratio = ORPOTrainer.odds_ratio_loss(trainer, *answers)[0]
    assert objective("orpo").loss(BATCH).tolist() == pytest.approx((-chosen - ratio).tolist(), rel=1e-5)


def test_certain_answers_have_finite_losses() -> None:
    sure = {
        name: torch.zeros(2) if name not in ("chosen_tokens", "rejected_tokens") else torch.ones(2)
        for name in vars(BATCH)
    }
    for name, kind in OBJECTIVES.items():
        if kind.pairs:
            assert torch.isfinite(objective(name).loss(Likelihoods(**sure))).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_recipe_chooses_one_by_its_name(name: str) -> None:
    for value in (name, {"name": name}):
        settings = made("lora", objective=value)
        assert type(settings.objective) is OBJECTIVES[name]
        assert settings.objective.title == name


def test_settings_of_an_objective_are_checked() -> None:
    assert made("lora", objective={"name": "dpo", "beta": 0.5}).objective.model_dump() == {"name": "dpo", "beta": 0.5}
    for wrong in ("rlhf", {"name": "dpo", "gamma": 1}, {"name": "dpo", "beta": 0}):
        with pytest.raises(ValidationError):
            made("lora", objective=wrong)


@pytest.mark.parametrize("method", METHODS)
def test_preferences_are_learned_more_slowly_by_default(method: str) -> None:
    rate = METHODS[method].model_validate({"method": method}).learning_rate
    assert METHODS[method].model_validate({"method": method, "objective": "dpo"}).learning_rate == RATE * rate
    assert METHODS[method].model_validate({"method": method, "objective": "dpo", "learning_rate": 1}).learning_rate == 1


def test_sft_leaves_no_trace_in_the_settings() -> None:
    assert not {"objective", "start"} & made("lora").model_dump().keys()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="dpo is trained on pairs, which are not packed"):
        made("lora", objective="dpo", packing=True)
    with pytest.raises(ValidationError, match="pissa cannot go on from a saved adapter"):
        made("pissa", start="other")
