"""What training saves is loaded by PEFT and transformers alone, and says there what it said here."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.processes import PATIENCE
from tests.tiny import write_rows
from tests.training.methods.made import made
from tuner import lora
from tuner.artifacts import parquet
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import chat, conversion, loading, scoring
from tuner.models.settings import Models
from tuner.training import results
from tuner.training.methods import METHODS

ELSEWHERE = """
import json, sys
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

found = {}
for name, asked in json.load(sys.stdin).items():
    kind = AutoModelForCausalLM if asked["whole"] else AutoPeftModelForCausalLM
    four = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    options = {"quantization_config": four} if asked["nf4"] else {}
    model = kind.from_pretrained(asked["folder"], dtype=torch.float32, **options).eval()
    tokenizer = AutoTokenizer.from_pretrained(asked["folder"])
    prompt = tokenizer.apply_chat_template(asked["messages"][:-1], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(asked["messages"], tokenize=False)
    ids = tokenizer(whole, add_special_tokens=False, return_tensors="pt").input_ids[:, : len(asked["ids"])]
    assert ids[0].tolist() == asked["ids"]
    start = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids.shape[1]

    def loss(model):
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -ids.shape[1] :]
        return torch.nn.functional.cross_entropy(logits[start - 1 : -1], ids[0, start:]).item()

    found[name] = loss(model)
    if asked["merges"]:
        found[f"{name} merged"] = loss(model.merge_and_unload())
assert not [name for name in sys.modules if name.split(".")[0] in ("tuner", "tests", "trl")]
print(json.dumps(found))
"""
"""Reads the folders as anyone would; prints the loss of the answer, in nats per token, by name. Where an adapter can be
merged into weights that are not quantized, it does so too."""


def disturb(model: Any) -> None:
    """Changes every trained weight, so that none is as a new adapter has it."""
    import torch

    for weight in model.parameters():
        if weight.requires_grad:
            weight.data += 0.2 * torch.randn_like(weight)


def test_every_adapter_loads_without_this_project(tiny: Path, tmp_path: Path, float32: None) -> None:
    import torch

    row = parquet.read(write_rows(tmp_path / "rows.parquet", 1)).to_pylist()[0]
    student = chat.load(Models(generator=str(tiny), student=str(tiny)), "student")
    encoded = student.encode(row["messages"], 2048)
    asked, ours = {}, {}

    def note(name: str, folder: Path, model: Any, merges: bool = True, nf4: bool = False) -> None:
        ours[name] = scoring.losses(model, [encoded], student.tokenizer.pad_token_id)[0] / encoded.tokens
        asked[name] = {"folder": str(folder), "messages": row["messages"], "ids": encoded.ids}
        asked[name] |= {"whole": name == "full", "merges": merges and not nf4, "nf4": nf4}
        if asked[name]["merges"]:
            ours[f"{name} merged"] = ours[name]

    for name in METHODS:
        settings, folder = made(name), tmp_path / name
        torch.manual_seed(3)
        base = loading.load_model(str(tiny), torch.float32, settings.quantization)
        model: Any = settings.adapted(base, str(tiny))
        disturb(model)
        note(name, folder, model, settings.merges, settings.quantization is not None)
        results.save_adapter(model, settings, student.tokenizer, str(tiny), folder)
        if settings.serves_as_lora == "converted":
            low = tmp_path / f"{name} as a LoRA"
            low.mkdir()
            lora.save(conversion.nearest_lora(model, 32), folder, low)
            with loaded_adapter(loading.load_model(str(tiny), torch.float32), low) as model:
                note(low.name, low, model)
    unlike = scoring.losses(loading.load_model(str(tiny), torch.float32), [encoded], 0)[0] / encoded.tokens
    child = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        timeout=PATIENCE,
    )
    assert child.returncode == 0, child.stderr
    theirs = json.loads(child.stdout)
    assert theirs == pytest.approx(ours, abs=1e-5)
    assert all(abs(loss - unlike) > 2e-4 for loss in ours.values())
