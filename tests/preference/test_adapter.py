"""Candidates that the student draws with an adapter."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

from tests.hollow import hollow
from tests.present import present
from tuner.artifacts.store import Store
from tuner.errors import StageError
from tuner.generation import seeds
from tuner.generation.sampling import choose
from tuner.models import adapted, chat
from tuner.models.resident import release
from tuner.recipe import Recipe
from tuner.registry import STAGES, planned
from tuner.training.metrics import Trained

from .conftest import Parse, make, table

pytestmark = pytest.mark.usefixtures("float32")


@pytest.fixture
def recipe(parse: Parse) -> Recipe:
    return parse("preference.candidates={adapter: lora, max_tokens: 250}")


@pytest.fixture
def student(recipe: Recipe, store: Store, models: dict[str, Path]) -> Any:
    """The student with an adapter of random weights, which lies in the store as if it had been trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(models["words"]), config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(9 if "lora_" in name else 1)

    def save(folder: Path) -> dict[str, Any]:
        model.save_pretrained(str(folder / "adapter"))
        return hollow(Trained).model_dump(mode="json")

    (part,) = planned(recipe).of("train")
    store.build(part, save)
    return model.eval()


def test_answers_are_those_of_the_student_with_the_adapter(recipe: Recipe, store: Store, student: Any, parse: Parse):
    (part,) = planned(recipe).of("candidates")
    manifest = STAGES["candidates"].make(recipe, part, store)
    release()
    (plain,) = make(parse(), store, "candidates")["candidates"]
    drawn, without = (table(store, each, "candidates.parquet") for each in (manifest, plain))
    assert set(drawn["adapter"]) == {"lora"} and set(without["adapter"]) == {""}
    assert drawn["seed"].to_list() == without["seed"].to_list()
    assert drawn["response"].to_list() != without["response"].to_list()

    # One of them again, token by token, from what PEFT's own forward pass says.
    (split,) = make(recipe, store, "split")["split"]
    words = chat.load(recipe.models, "student")
    prompts = dict(table(store, split, "train.parquet").select("row_id", "prompt").iter_rows())
    # One without special tokens, which are no words of an answer.
    answer = next(
        each
        for each in drawn.filter(pl.col("row_id").is_in(list(prompts))).iter_rows(named=True)
        if len(words.ids(each["response"])) + 1 == each["tokens"] > 5
    )
    ids = words.ids(words.healed(words.prompt(prompts[answer["row_id"]])))
    said = words.ids(answer["response"])
    with torch.inference_mode():
        logits = student(torch.tensor([[*ids, *said]])).logits[0]
    uniforms = torch.tensor(seeds.uniforms(answer["seed"], 1, 250))
    sampling = present(recipe.preference).candidates.samplings[answer["candidate"]]
    again = [
        choose(logits[len(ids) - 1 + place][None], sampling, uniforms[place : place + 1]).item()
        for place in range(len(said))
    ]
    assert again == said


def test_the_student_that_other_stages_load_is_unchanged(models: dict[str, Path], student: Any, tmp_path: Path):
    student.save_pretrained(str(tmp_path))
    ids = torch.tensor([[5, 9, 7]])
    merged = adapted.load(str(models["words"]), adapted.Adapter(tmp_path), torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(models["words"])
    with torch.inference_mode():
        assert torch.allclose(merged(ids).logits, student(ids).logits, atol=1e-5)
        assert not torch.allclose(merged(ids).logits, plain(ids).logits, atol=1e-3)


def test_a_prompt_and_an_adapter_of_another_model_are_refused(models: dict[str, Path], student: Any, tmp_path: Path):
    prompt = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    get_peft_model(AutoModelForCausalLM.from_pretrained(models["words"]), prompt).save_pretrained(
        str(tmp_path / "prompt")
    )
    with pytest.raises(StageError, match="is a prompt, and changes no weights"):
        adapted.load(str(models["words"]), adapted.Adapter(tmp_path / "prompt"), torch.float32)
    student.save_pretrained(str(tmp_path / "lora"))
    with pytest.raises(StageError, match="does not fit this student"):
        adapted.load(str(models["judge"]), adapted.Adapter(tmp_path / "lora"), torch.float32)
