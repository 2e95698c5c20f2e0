"""Rows in slots get the logits that they would get alone, in every architecture that fits."""

import random
from collections import deque
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.architectures import ARCHITECTURES, made
from tuner.generation import seeds
from tuner.generation.engines import Request
from tuner.generation.engines.batches import Batches
from tuner.generation.engines.slots import Slots
from tuner.generation.engines.transformers import TransformersEngine
from tuner.generation.sources import Sampling

RECURRENT = {"lfm2", "mamba", "falcon_h1"}
WINDOW = 8
"""Columns of sliding windows, which the rows below are longer than."""

pytestmark = pytest.mark.usefixtures("float32")


def engine_of(folder: Path, architecture: str) -> TransformersEngine:
    sliding = {"sliding_window": WINDOW} if architecture in ("mistral", "gemma2", "gemma3_text", "gpt_oss") else {}
    return TransformersEngine(str(made(folder, architecture, **sliding)), 3)


def requests() -> list[Request]:
    """Prompts that share a beginning, in part, of different lengths and limits."""
    prompts = ["Why is it", "Why is it", "Why is it so cold in the north?", "Why not?", "A", "Why is it"]
    return [
        Request(row, 0, seeds.row_seed(7, 0, row), prompt, Sampling(temperature=0.8, max_tokens=4 + 5 * row))
        for row, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_are_those_of_a_batch_of_their_own(architecture: str, tmp_path: Path) -> None:
    engine = engine_of(tmp_path / architecture, architecture)
    assert (engine._slots is None) == (architecture in RECURRENT)
    drawn = {request.row: completion for request, completion in engine.complete(deque(requests()), lambda _: None)}
    alone = Batches(engine._model, engine._tokenizer, engine._endings, 1)
    for request in requests():
        ((_, completion),) = alone.complete(deque([request]), lambda _: None)
        assert drawn[request.row] == completion


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoModelForCausalLM

    folder = made(tmp_path_factory.mktemp("model"), "gemma3_text", sliding_window=WINDOW)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@given(st.integers(0, 10**6))
def test_logits_do_not_depend_on_what_comes_and_goes(model: Any, seed: int) -> None:
    draw = random.Random(seed)
    slots = Slots(model)
    shared = [draw.randrange(300) for _ in range(draw.randrange(1, 60))]
    for until in {draw.randrange(1, len(shared) + 1), len(shared)}:
        slots.share(shared[:until])
    rows: list[list[int]] = []
    for _ in range(draw.randrange(2, 12)):
        match draw.choice(("add", "step", "step", "remove")):
            case "add":
                new = [
                    [
                        *shared[: draw.randrange(len(shared) + 1)],
                        *(draw.randrange(300) for _ in range(draw.randrange(9))),
                    ]
                    or [1]
                    for _ in range(draw.randrange(1, 4))
                ]
                rows += new
                same(model, new, slots.add(new))
            case "step" if rows:
                for row in rows:
                    row.append(draw.randrange(300))
                same(model, rows, slots.step(torch.tensor([row[-1] for row in rows])))
            case "remove" if rows:
                place = draw.randrange(len(rows))
                slots.remove(place)
                rows[place] = rows[-1]
                rows.pop()
            case _:
                pass
        assert len(slots) == len(rows)


def same(model: Any, rows: list[list[int]], logits: torch.Tensor) -> None:
    """Whether these are the logits that each row gets without a cache."""
    with torch.inference_mode():
        for row, found in zip(rows, logits, strict=True):
            assert torch.allclose(model(torch.tensor([row])).logits[0, -1], found, atol=1e-4)
