"""The engine on vLLM, by a stand-in for the library: its pins exclude ours, so that the real one is never beside these.

`tests/generation/test_real_engines.py` draws with the real one (`make test-engines`). What stands in is as 0.32 is:
requests are finished in any order, ids are of tokens with the one that ended the turn, and a death is an exception.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.generation.served import requests
from tuner.errors import InputError
from tuner.generation import engines, seeds
from tuner.generation.engines import Request, vllm
from tuner.generation.engines.vllm import EngineError, VllmEngine, parallel
from tuner.generation.sources import Sampling
from tuner.settings import Settings


class DeadError(Exception):
    """vLLM's `EngineDeadError`."""


class Fake:
    """vLLM's `LLMEngine`: finishes the newest request in every step.

    Attributes:
        started: The arguments of every engine that was started.
        asked: Prompt and sampling of every request.
        aborted: The requests that were aborted.
        closed: How many engines were shut down.
        most: The most requests at once.
        dies: Whether the next step is the last.
        says: The tokens of a completion.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.started: list[SimpleNamespace] = []
        self.asked: list[tuple[list[int], SimpleNamespace]] = []
        self.aborted: list[str] = []
        self.closed = self.most = 0
        self.dies = False
        self.says: Callable[[list[int]], list[int]] = lambda prompt: [*prompt[-2:], tokenizer.eos_token_id]
        self.running: dict[str, list[int]] = {}
        self.vllm_config = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=4))
        self.renderer = SimpleNamespace(render_cmpl=lambda prompts: prompts)
        self.engine_core = SimpleNamespace(shutdown=self._shutdown)

    def from_engine_args(self, arguments: SimpleNamespace) -> "Fake":
        self.started.append(arguments)
        return self

    def add_request(self, name: str, prompt: dict[str, list[int]], params: SimpleNamespace) -> None:
        ids = prompt["prompt_token_ids"]
        if len(ids) > 100:
            raise ValueError("The decoder prompt is longer than the maximum model length\nof 100")
        self.asked.append((ids, params))
        self.running[name] = ids
        self.most = max(self.most, len(self.running))

    def step(self) -> list[SimpleNamespace]:
        if self.dies:
            self.dies = False
            self.running.clear()
            raise DeadError("EngineCore encountered an issue.")
        name, ids = self.running.popitem()
        return [
            SimpleNamespace(request_id=name, finished=True, outputs=[SimpleNamespace(token_ids=self.says(ids))]),
            *(SimpleNamespace(request_id=other, finished=False, outputs=[]) for other in self.running),
        ]

    def abort_request(self, names: list[str]) -> None:
        self.aborted += names

    def get_metrics(self) -> list[SimpleNamespace]:
        counts = {"vllm:prefix_cache_queries": 80, "vllm:prefix_cache_hits": 60, "vllm:num_preemptions": 2}
        return [SimpleNamespace(name="vllm:latency", buckets={})] + [
            SimpleNamespace(name=name, value=value) for name, value in counts.items()
        ]

    def _shutdown(self, timeout: float) -> None:
        self.closed += 1


@pytest.fixture
def fake(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """vLLM for the CPU with an engine that stands in."""
    from transformers import AutoTokenizer

    found = Fake(AutoTokenizer.from_pretrained(tiny))
    _install(monkeypatch, found, "cpu")
    for name in vllm._ENVIRONMENT:
        monkeypatch.setenv(name, "set")  # what is set by the engine is then undone
    return found


def _install(monkeypatch: pytest.MonkeyPatch, found: Fake, device: str) -> None:
    contents = {
        "vllm": {"EngineArgs": SimpleNamespace, "SamplingParams": SimpleNamespace, "LLMEngine": found},
        "vllm.platforms": {"current_platform": SimpleNamespace(device_type=device)},
        "vllm.sampling_params": {"RequestOutputKind": SimpleNamespace(FINAL_ONLY="final only")},
        "vllm.v1.engine.exceptions": {"EngineDeadError": DeadError},
    }
    for name, names in contents.items():
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def engine(fake: Fake, tiny: Path) -> Iterator[VllmEngine]:
    opened = VllmEngine(str(tiny), Settings(engine="vllm"))
    yield opened
    opened.close()


def texts(engine: VllmEngine, wanted: list[Request]) -> dict[int, str]:
    return {request.row: said.text for request, said in engine.complete(deque(wanted), lambda tokens: None)}


def test_every_row_is_completed_once_and_as_many_run_as_vllm_takes(engine: VllmEngine, fake: Fake) -> None:
    tokens: list[int] = []
    found = [request.row for request, _ in engine.complete(deque(requests(11)), tokens.append)]
    assert sorted(found) == list(range(11)) and found != list(range(11))
    assert fake.most == engine.facts().slots == 4
    assert tokens == [3] * 11


def test_a_completion_is_what_stands_before_its_end(engine: VllmEngine, fake: Fake) -> None:
    request = requests(1)[0]
    end, start = fake.tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|im_start|>"])
    words = fake.tokenizer("bake bread", add_special_tokens=False)["input_ids"]
    for said, stop, wanted in (
        ([*words, end], "<|im_end|>", ("bake bread", len(words) + 1, "stop")),
        ([start, *words], "<|im_end|>", ("<|im_start|>bake bread", len(words) + 1, "length")),
        (words, "bread", ("bake ", len(words), "stop")),
    ):
        fake.says = lambda prompt, said=said: said
        row = Request(0, 0, 1, request.prompt, Sampling(max_tokens=9), stop)
        ((_, found),) = engine.complete(deque([row]), lambda tokens: None)
        assert (found.text, found.tokens, found.finish) == wanted


def test_vllm_is_asked_what_the_recipe_says_and_nothing_of_the_models_own(
    engine: VllmEngine, fake: Fake, tiny: Path
) -> None:
    sampling = Sampling(temperature=0.8, top_p=0.9, min_p=0.05, max_tokens=24)
    texts(engine, [Request(0, 0, 7, "<|im_start|>user", sampling, "<|im_end|>")])
    texts(engine, [Request(0, 0, 7, "<|im_start|>user", sampling, "The end")])
    (prompt, token), (_, text) = fake.asked
    assert fake.tokenizer.decode(prompt) == "<|im_start|>user"
    assert (token.temperature, token.top_p, token.min_p, token.max_tokens) == (0.8, 0.9, 0.05, 24)
    assert (token.stop, token.stop_token_ids) == (None, [fake.tokenizer.eos_token_id])
    assert (text.stop, text.detokenize, text.skip_special_tokens) == (["The end"], True, False)
    (arguments,) = fake.started
    assert (arguments.model, arguments.load_format, arguments.generation_config) == (str(tiny), "safetensors", "vllm")
    assert arguments.trust_remote_code is False and arguments.enable_prefix_caching is True


def test_requests_that_are_added_meanwhile_are_taken(engine: VllmEngine, fake: Fake) -> None:
    queue, order = deque(requests(9)), []
    for request, _ in engine.complete(queue, lambda tokens: None):
        order.append((request.row, request.turn))
        if request.turn == 0:
            queue.appendleft(Request(request.row, 1, request.seed, request.prompt, request.sampling, request.stop))
    assert sorted(order) == [(row, turn) for row in range(9) for turn in (0, 1)]
    assert order[1] == (order[0][0], 1)


def test_a_cpu_is_given_no_seeds_and_a_gpu_is(
    engine: VllmEngine, fake: Fake, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts(engine, requests(1))
    assert engine.facts().reproducible == "not seeded"
    _install(monkeypatch, fake, "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    on_gpus = VllmEngine(str(tiny), Settings(engine="vllm"))
    texts(on_gpus, requests(1))
    assert [params.seed for _, params in fake.asked] == [None, seeds.of_turn(1000, 0)]
    assert on_gpus.facts().reproducible == "seeded, not equal to the bit"
    assert [arguments.tensor_parallel_size for arguments in fake.started] == [1, 2]


def test_an_abandoned_call_ends_its_requests(engine: VllmEngine, fake: Fake) -> None:
    with closing(engine.complete(deque(requests(9)), lambda tokens: None)) as going:
        next(going)
    assert sorted(fake.aborted, key=int) == ["1", "2", "3"]


def test_an_engine_that_dies_is_started_again_by_the_retry(engine: VllmEngine, fake: Fake) -> None:
    from tasks.policy import is_transient

    fake.dies = True
    with pytest.raises(EngineError, match="vLLM has ended") as error:
        texts(engine, requests(3))
    assert is_transient(error.value) and fake.closed == 1
    assert sorted(texts(engine, requests(3))) == [0, 1, 2]
    assert len(fake.started) == 2


def test_a_prompt_that_is_too_long_is_one_line(engine: VllmEngine, tiny: Path) -> None:
    with pytest.raises(InputError, match=r"vLLM refuses a prompt of \d+ tokens: The decoder prompt is longer") as error:
        texts(engine, [Request(0, 0, 1, "many words " * 100, Sampling())])
    assert "\n" not in str(error.value)


def test_its_figures_are_vllms(engine: VllmEngine) -> None:
    assert engine.figures() == {"prefix_hits": 0.75, "preemptions": 2}


def test_another_device_than_vllms_is_refused(fake: Fake, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"^TUNER_DEVICE=cuda: vLLM computes on cpu here;"):
        VllmEngine(str(tiny), Settings(engine="vllm", device="cuda"))
    _install(monkeypatch, fake, "")
    with pytest.raises(InputError, match=r"^TUNER_ENGINE=vllm: vLLM finds no device;"):
        VllmEngine(str(tiny), Settings(engine="vllm"))


def test_without_vllm_one_line_says_how_to_install_it(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in vllm._ENVIRONMENT:
        monkeypatch.setenv(name, "set")
    monkeypatch.setitem(sys.modules, "vllm", None)  # as if it were not installed, wherever the tests run
    with pytest.raises(InputError, match=r"^TUNER_ENGINE=vllm: vLLM cannot be imported .*; pip install vllm") as error:
        engines.open_engine(str(tiny), Settings(engine="vllm"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("gpus", "heads", "kv_heads", "wanted"),
    [
        (0, 9, 3, 1),
        (1, 32, 8, 1),
        (2, 9, 3, 1),
        (4, 9, 3, 3),
        (8, 32, 8, 8),
        (7, 32, 8, 4),
        (8, 28, 4, 4),
        (4, 8, 1, 4),
    ],
)
def test_attention_is_divided_among_as_many_gpus_as_its_heads_allow(
    gpus: int, heads: int, kv_heads: int, wanted: int
) -> None:
    assert parallel(gpus, heads, kv_heads) == wanted
