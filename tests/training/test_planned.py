"""Which adapters read which artifacts, and what of the section on training is refused."""

import re

import pytest

from tests.preference.test_planned import PREFERENCE, RECIPE
from tuner import loading
from tuner.errors import InputError
from tuner.registry import planned
from tuner.stage import Parts

DPO = "training.dpo={method: lora, objective: dpo}"
STARTED = "training.dpo={method: lora, objective: dpo, start: lora}"


def plan(*overrides: str) -> Parts:
    return planned(loading.parse(RECIPE, overrides))


def test_adapters_of_pairs_come_after_the_pairs_and_share_a_reference() -> None:
    parts = plan(PREFERENCE, DPO, "training.strict={method: ia3, objective: {name: dpo, beta: 0.5}}")
    assert [part.label for part in parts.of("train")] == ["lora", "prompt_tuning", "dpo", "strict"]
    (reference,) = parts.of("reference")
    assert reference.label == "student, 2048 tokens"
    for name in ("dpo", "strict"):
        reads = parts.one("train", name).reads
        assert reads == {"data": [parts.one("split")], "pairs": [parts.one("pair")], "reference": [reference]}
    assert [part.label for part in parts.one("evaluate").reads["adapters"]] == [
        "lora",
        "prompt_tuning",
        "dpo",
        "strict",
    ]


def test_a_reference_is_planned_for_every_other_student() -> None:
    adapters = {
        "quantized": "{method: qlora, objective: dpo}",
        "short": "{method: lora, objective: ipo, max_length: 99}",
        "unpaired": "{method: lora, objective: kto}",
        "started": "{method: lora, objective: dpo, start: lora}",
        "none": "{method: lora, objective: orpo}",
    }
    parts = plan(PREFERENCE, *(f"training.{name}={text}" for name, text in adapters.items()))
    assert [part.label for part in parts.of("reference")] == [
        "student, nf4, 2048 tokens",
        "student, 99 tokens",
        "student, 2048 tokens, mismatched",
        "lora, 2048 tokens",
    ]
    assert "reference" not in parts.one("train", "none").reads


def test_an_adapter_goes_on_from_another_whatever_their_order() -> None:
    parts = plan(PREFERENCE, STARTED)
    trained = parts.one("train", "dpo")
    assert trained.reads["start"] == [parts.one("train", "lora")]
    assert parts.one("reference", "lora, 2048 tokens").reads["start"] == [parts.one("train", "lora")]
    assert "start" not in trained.identity, "its name does not matter"
    other = plan(PREFERENCE, STARTED, "training.lora.learning_rate=5e-5")
    assert other.one("train", "dpo").fingerprint != trained.fingerprint
    first = "name: a\nmodels: {generator: o/c, student: o/b}\ngeneration: {rows: 9}\n"
    first += "training: {more: {method: lora, start: lora}, lora: {method: lora}}\n"
    further = planned(loading.parse(first, ()))
    assert [part.label for part in further.of("train")] == ["lora", "more"]
    assert [part.label for part in further.one("evaluate").reads["adapters"]] == ["more", "lora"]


def test_train_draw_train() -> None:
    parts = plan(PREFERENCE, STARTED, "preference.candidates.adapter=lora")
    chain = ["train lora", "candidates shard 1", "score shard 1", "pair", "reference lora, 2048 tokens", "train dpo"]
    order = [f"{part.stage} {part.label}".strip() for part in parts]
    upstream = parts.upstream(parts.of("evaluate"))
    assert set(chain) <= set(order)
    assert {part.fingerprint for part in parts if f"{part.stage} {part.label}".strip() in chain} <= upstream


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ([DPO], "training.dpo.objective: dpo is trained on preference pairs; add the section preference"),
        (
            [PREFERENCE, "training.dpo={method: lora, objective: dpo, start: sft}"],
            "training.dpo.start: no adapter 'sft'",
        ),
        (
            [PREFERENCE, "training.dpo={method: ia3, objective: dpo, start: lora}"],
            "training.dpo.start: lora is trained by another method or quantization",
        ),
        (
            [PREFERENCE, STARTED, "training.again={method: lora, objective: dpo, start: dpo}"],
            "training.again.start: dpo goes on from another adapter or is trained on pairs",
        ),
        (
            [PREFERENCE, "training.dpo={method: lora, objective: rlhf}"],
            "training.dpo.objective: unknown objective 'rlhf'; use one of sft, dpo, ipo, kto, orpo, simpo",
        ),
        (
            [PREFERENCE, "training.dpo={method: lora, objective: {name: dpo, beta: 0}}"],
            "training.dpo.objective.beta: Input should be greater than 0",
        ),
        (
            [PREFERENCE, "training.dpo={method: lora, objective: {name: dpo, bta: 1}}"],
            "training.dpo.objective.bta: unknown key; did you mean 'beta'",
        ),
        ([PREFERENCE, DPO, "preference.candidates.adapter=dpo"], "dpo is itself trained on pairs; name one of sft"),
        (["training.lora.early_stopping=2", "split.tuning=0"], "split.tuning: is 0, but training.lora chooses"),
        (["training.lora.method=lora2"], "training.lora"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.compile(message)) as error:
        plan(*overrides)
    assert "\n" not in str(error.value)


def test_early_stopping_gives_the_split_rows_to_choose_by() -> None:
    assert loading.parse(RECIPE, ()).split.tuning == 0
    assert loading.parse(RECIPE, ["training.lora.early_stopping=2"]).split.tuning == 0.1
