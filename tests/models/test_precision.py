"""Which type a machine computes in: what the user says, else what is faster here, measured once."""

import json
from pathlib import Path

import pytest
import torch

from tuner.models import precision
from tuner.settings import settings


@pytest.fixture(autouse=True)
def cpu_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DEVICE", "cpu")
    monkeypatch.setattr(precision, "_native", lambda: True)
    settings.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_user_decides(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DTYPE", dtype)
    settings.cache_clear()
    assert precision.training() == precision.inference() == getattr(torch, dtype)


@pytest.mark.parametrize(("gain", "dtype"), [(0.8, torch.float32), (1.05, torch.float32), (1.9, torch.bfloat16)])
def test_generation_takes_the_faster_type_and_training_the_smaller(
    gain: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_gain", lambda: gain)
    assert precision.inference() == dtype
    assert precision.training() == torch.bfloat16


def test_what_was_measured_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_gain", lambda: 1.9)
    first = precision.inference()
    monkeypatch.setattr(precision, "_gain", lambda: 0.5)
    precision.inference.cache_clear()
    assert precision.inference() == first
    assert list(json.loads((tmp_path / "home" / "cache" / "precision.json").read_text()).values()) == ["bfloat16"]


def test_without_the_instructions_it_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_native", lambda: False)
    assert precision.training() == precision.inference() == torch.float32


def test_the_measurement_is_a_ratio() -> None:
    assert 0.01 < precision._gain() < 100
