"""vLLM gives an answer the probability that we give it, with every adapter that is saved as a LoRA or made one."""

import sys
from pathlib import Path

import httpx
import pytest

from tests.generation.started import free_port, running, trained
from tests.tiny import SENTENCES
from tuner import loading, lora
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import chat, scoring
from tuner.models.chat import Encoded
from tuner.models.conversion import nearest_lora
from tuner.models.loading import load_model, resolve
from tuner.models.settings import Models
from tuner.training.methods import METHODS

pytestmark = [pytest.mark.engines, pytest.mark.e2e]


def test_vllm_says_of_every_lora_what_we_say(tmp_path: Path) -> None:
    models = loading.load("quickstart").models
    row = chat.load(models, "student").encode(
        [{"role": "user", "content": SENTENCES[2]}, {"role": "assistant", "content": SENTENCES[3]}], 1024
    )
    loras = made(models, tmp_path)
    ours = scored(models, loras, row)
    assert all(abs(loss - ours["base"]) > 0.1 for name, loss in ours.items() if name != "base")
    assert said(models, loras, row) == pytest.approx(ours, abs=1e-4)


def made(models: Models, folder: Path) -> dict[str, Path]:
    """Adapters on the default model as training saves them, and one that was converted."""
    import torch

    loras = {}
    for name in ("dora", *(name for name, method in METHODS.items() if method.serves_as_lora == "as it is")):
        (folder / name).mkdir()
        loras[name] = trained(name, models, folder / name)
    with loaded_adapter(load_model(models.student, torch.float32), loras["dora"]) as model:
        nearest = nearest_lora(model, 64)
    (folder / "converted").mkdir()
    lora.save(nearest, loras["dora"], folder / "converted")
    return loras | {"dora": folder / "converted"}


def scored(models: Models, loras: dict[str, Path], row: Encoded) -> dict[str, float]:
    """Our loss of the answer, in nats per token: the base model's, and with each adapter."""
    import torch

    model = load_model(models.student, torch.float32)
    found = {"base": scoring.losses(model, [row], 0)[0] / row.tokens}
    for name, folder in loras.items():
        with loaded_adapter(model, folder) as adapted:
            found[name] = scoring.losses(adapted, [row], 0)[0] / row.tokens
    return found


def said(models: Models, loras: dict[str, Path], row: Encoded) -> dict[str, float]:
    """The same by a server of vLLM, which computes in float32, too: in bfloat16 no two programs round alike."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--port", str(port), "--host", "127.0.0.1"]
    command += ["--model", str(resolve(models.student)[0]), "--served-model-name", "base", "--dtype", "float32"]
    command += ["--max-model-len", "1024", "--enforce-eager", "--enable-lora", "--max-lora-rank", "64"]
    command += ["--lora-modules", *(f"{name}={folder}" for name, folder in loras.items())]
    found = {}
    with running(command, port, "/health") as url:
        for name in ("base", *loras):
            asked = {"model": name, "prompt": row.ids, "max_tokens": 1, "prompt_logprobs": 0}
            answer = httpx.post(f"{url}/v1/completions", json=asked, timeout=120)
            assert answer.status_code == 200, answer.text
            tokens = answer.json()["choices"][0]["prompt_logprobs"]
            logprobs = [each[str(id_)]["logprob"] for id_, each in zip(row.ids, tokens, strict=True) if each]
            found[name] = -sum(logprobs[row.start - 1 :]) / row.tokens
    return found
