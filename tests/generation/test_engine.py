"""The engine: a row is determined by its prompt and its seed, whatever batch it is computed in."""

import itertools
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import SENTENCES, make_tiny_model
from tuner import loading as recipes
from tuner.errors import InputError
from tuner.generation import engines, seeds
from tuner.generation.engines import Completion, Facts, Request
from tuner.generation.engines.transformers import Row, TransformersEngine
from tuner.generation.generate import Generator, generate
from tuner.generation.metrics import Generated
from tuner.generation.shards import shards
from tuner.generation.sources import Sampling
from tuner.models import loading
from tuner.models.chat import Chat
from tuner.models.resident import release
from tuner.models.settings import Models
from tuner.models.templates import Template
from tuner.settings import Settings, settings

SAMPLING = Sampling(temperature=0.8, top_p=0.95, max_tokens=24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TUNER_DTYPE", "float32")
    monkeypatch.setenv("TUNER_DEVICE", "cpu")
    settings.cache_clear()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for two layers of width 64
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def engine(folder: Path) -> TransformersEngine:
    return TransformersEngine(str(folder), 32)


@pytest.fixture(scope="module")
def template(folder: Path) -> Template:
    return Chat(loading.load_tokenizer(str(folder)), str(folder)).template


@pytest.fixture
def requests(template: Template) -> list[Request]:
    """Prompts of different lengths."""
    prompts = [template.answer_prompt(" ".join(SENTENCES[: 1 + i % 4])) for i in range(10)]
    return [Request(i, i % 2, seeds.row_seed(7, 0, i), prompt, SAMPLING) for i, prompt in enumerate(prompts)]


def complete(engine: TransformersEngine, requests: Sequence[Request]) -> list[Completion]:
    """The completions in the order of the requests."""
    found = {id(request): completion for request, completion in engine.complete(deque(requests), lambda tokens: None)}
    return [found[id(request)] for request in requests]


def changed(requests: Sequence[Request], **sampling: Any) -> list[Request]:
    return [replace(request, sampling=request.sampling.model_copy(update=sampling)) for request in requests]


def test_the_template_is_the_models_own(template: Template) -> None:
    assert template.prefix.startswith("<|im_start|>system\n")
    assert template.prefix.endswith("<|im_start|>user\n")
    assert template.turn_end == "<|im_end|>"


@pytest.mark.parametrize("size", [3, 8])
def test_rows_do_not_depend_on_the_batch(folder: Path, requests: list[Request], size: int) -> None:
    alone = complete(TransformersEngine(str(folder), 1), requests)
    assert complete(TransformersEngine(str(folder), size), requests) == alone
    assert len({completion.text for completion in alone}) == len(alone)


def test_rows_do_not_depend_on_their_order_or_on_each_other(
    engine: TransformersEngine, requests: list[Request]
) -> None:
    whole = complete(engine, requests)
    assert complete(engine, requests[::-1]) == whole[::-1]
    assert complete(engine, requests[3:6]) == whole[3:6]


def test_rows_with_other_sampling_are_in_another_batch(engine: TransformersEngine, requests: list[Request]) -> None:
    cold = changed(requests, temperature=0.1)
    mixed = [request for pair in zip(requests, cold, strict=True) for request in pair]
    done = complete(engine, mixed)
    assert done[::2] == complete(engine, requests)
    assert done[1::2] == complete(engine, cold)


def test_requests_added_meanwhile_are_completed_too(engine: TransformersEngine, requests: list[Request]) -> None:
    queue, done = deque(requests[:2]), []
    for request, _ in engine.complete(queue, lambda tokens: None):
        done.append(request.row)
        if request.row < 8:
            queue.append(requests[request.row + 2])
    assert sorted(done) == list(range(10))


def test_completions_depend_on_the_seed(engine: TransformersEngine, template: Template) -> None:
    said = [(1, 0), (1, 0), (2, 0), (1, 1)]
    requests = [Request(row, turn, seed, template.prefix, SAMPLING) for row, (seed, turn) in enumerate(said)]
    one, same, other, turned = complete(engine, requests)
    assert one == same
    assert len({one.text, other.text, turned.text}) == 3


def test_a_higher_token_limit_only_appends(engine: TransformersEngine, requests: list[Request]) -> None:
    short, long = complete(engine, changed(requests, max_tokens=8)), complete(engine, requests)
    for few, many in zip(short, long, strict=True):
        assert few.tokens == min(8, many.tokens)


def test_a_slot_takes_the_next_row_as_soon_as_its_row_has_ended(folder: Path, requests: list[Request]) -> None:
    engine = TransformersEngine(str(folder), 4)
    short = changed(requests[:1], max_tokens=2) + requests[1:]
    done = [request.row for request, _ in engine.complete(deque(short), lambda tokens: None)]
    assert done[0] == 0 and done != sorted(done)
    slots = engine._slots
    assert slots is not None and len(slots) == 0


def test_an_abandoned_completion_leaves_no_row(engine: TransformersEngine, requests: list[Request]) -> None:
    for _ in engine.complete(deque(requests), lambda tokens: None):
        break
    assert complete(engine, requests[:2]) == complete(TransformersEngine(engine._model.name_or_path, 1), requests[:2])


def test_what_prompts_share_is_computed_once(engine: TransformersEngine, template: Template) -> None:
    begun = len(engine._encode(template.prefix))
    questions = [Request(row, 0, row, template.prefix, SAMPLING, opening=template.prefix) for row in range(6)]
    prompts = [template.answer_prompt(sentence) for sentence in SENTENCES[:3]]
    answers = [Request(row, 1, row, prompt, SAMPLING, opening=template.prefix) for row, prompt in enumerate(prompts)]
    complete(engine, questions + answers)
    complete(engine, questions)
    slots = engine._slots
    assert slots is not None
    assert slots.prefilled == begun + sum(len(engine._encode(each.prompt)) - begun for each in answers)


def test_memory_that_does_not_suffice_halves_the_slots_and_changes_no_row(
    engine: TransformersEngine, requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = complete(engine, requests)
    forward, steps = engine._model.forward, itertools.count()

    def scarce(*args: Any, **options: Any) -> Any:
        if options["input_ids"].shape[0] > 4 and next(steps) > 3:
            raise torch.OutOfMemoryError
        return forward(*args, **options)

    monkeypatch.setattr(engine._model, "forward", scarce)
    said: list[int] = []
    found = {request.row: completion for request, completion in engine.complete(deque(requests), said.append)}
    assert [found[request.row] for request in requests] == whole
    assert engine.facts().slots == 4
    assert sum(said) == sum(completion.tokens for completion in whole)


def test_progress_ends_with_every_token(
    engine: TransformersEngine, requests: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.generation.engines.transformers.REPORT_EVERY", 0.0)
    said: list[int] = []
    done = [completion for _, completion in engine.complete(deque(requests), said.append)]
    assert sum(said) == sum(completion.tokens for completion in done)
    assert len(said) > 10


def test_no_requests_give_no_completions(engine: TransformersEngine) -> None:
    assert complete(engine, []) == []


def test_the_manifest_records_engine_device_and_dtype(engine: TransformersEngine) -> None:
    assert engine.facts() == Facts("transformers", "cpu", "float32", 32, mixes=True)


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no engine 'steam'; the engines are transformers, vllm, completions$"):
        engines.open_engine("model", Settings(engine="steam"))


class TestEnds:
    def scripted(
        self, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, texts: Sequence[str], stop: str = ""
    ) -> list[Completion]:
        """Makes the model generate these texts and nothing else, one for each row."""
        wanted = [engine._tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]

        def chosen(rows: Sequence[Row], logits: torch.Tensor) -> list[int]:
            return [wanted[row.request.row][min(len(row.ids), len(wanted[row.request.row]) - 1)] for row in rows]

        monkeypatch.setattr("tuner.generation.engines.transformers._chosen", chosen)
        return complete(engine, [Request(i, 0, i, "<|im_start|>user\n", SAMPLING, stop) for i in range(len(texts))])

    def test_the_end_token_is_counted_and_not_part_of_the_text(
        self, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = len(engine._tokenizer("How do I bake", add_special_tokens=False)["input_ids"])
        first, second = self.scripted(engine, monkeypatch, ["How do I bake<|im_end|>", "<|im_end|>"], "<|im_end|>")
        assert first == Completion("How do I bake", words + 1, "stop")
        assert second == Completion("", 1, "stop")

    def test_a_row_that_does_not_end_is_cut(self, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
        (only,) = self.scripted(engine, monkeypatch, ["bread"])
        assert (only.tokens, only.finish) == (SAMPLING.max_tokens, "length")
        assert only.text.startswith("bread")

    def test_a_stop_text_that_is_not_a_single_token_ends_a_turn(
        self, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tokens = len(engine._tokenizer("How do I bake [/INST]", add_special_tokens=False)["input_ids"])
        first, second = self.scripted(
            engine, monkeypatch, ["How do I bake [/INST] rest", "the sky is blue<|im_end|>"], "[/INST]"
        )
        assert first == Completion("How do I bake ", tokens, "stop")
        assert (second.text, second.finish) == ("the sky is blue", "stop")


def test_a_model_without_a_chat_template_is_refused(folder: Path, tmp_path: Path) -> None:
    base = shutil.copytree(folder, tmp_path / "base")
    (base / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(InputError, match="has no chat template"):
        Generator(Models(generator=str(base), student=str(base)))


def test_a_model_that_is_damaged_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match=f"model {broken} cannot be loaded: "):
        TransformersEngine(str(broken), 1)


class TestStage:
    @pytest.fixture(autouse=True)
    def released(self) -> Any:
        release()
        yield
        release()

    def shard(self, folder: Path, into: Path, shard: int, *overrides: str) -> tuple[bytes, Generated]:
        text = (
            f"name: tiny\nmodels: {{generator: {folder}, student: {folder}}}\n"
            "generation: {rows: 8, shard_rows: 5, instruction: {max_tokens: 12}, response: {max_tokens: 12}}\n"
            "training: {lora: {method: lora}}\n"
        )
        into.mkdir()
        recipe = recipes.parse(text, overrides)
        metrics = generate(recipe, shards(recipe)[shard], into)
        return (into / "rows.parquet").read_bytes(), metrics

    def test_the_same_shard_has_the_same_bytes_at_any_batch_size(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, _ = self.shard(folder, tmp_path / "a", 0)
        monkeypatch.setenv("TUNER_BATCH_SIZE", "2")
        settings.cache_clear()
        release()
        assert self.shard(folder, tmp_path / "b", 0)[0] == first
        assert self.shard(folder, tmp_path / "c", 0, "generation.rows=50")[0] == first
        assert self.shard(folder, tmp_path / "d", 1)[0] != first
        assert self.shard(folder, tmp_path / "e", 0, "seed=1")[0] != first

    def test_a_later_round_equals_the_first_of_a_recipe_with_its_seed(self, folder: Path, tmp_path: Path) -> None:
        # Two shards a round.
        second, metrics = self.shard(folder, tmp_path / "a", 3, "generation.rounds=2")
        assert second == self.shard(folder, tmp_path / "b", 1, "seed=43")[0]
        assert metrics.rows == 3

    def test_the_metrics_count_what_was_generated(self, folder: Path, tmp_path: Path) -> None:
        from tuner.artifacts import parquet

        _, metrics = self.shard(folder, tmp_path / "a", 1)
        rows = parquet.read(tmp_path / "a" / "rows.parquet").to_pylist()
        assert metrics.rows == len(rows) == 3
        assert sum(metrics.outcomes.values()) == 3
        assert metrics.tokens == sum(row["instruction_tokens"] + row["response_tokens"] for row in rows)
        assert metrics.tokens_per_second == pytest.approx(metrics.tokens / metrics.seconds, rel=0.05)
        assert (metrics.device, metrics.dtype) == ("cpu", "float32")
