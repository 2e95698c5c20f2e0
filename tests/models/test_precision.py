"""The type of computation: the user's setting, else the faster one on this machine, measured once."""

import json
from pathlib import Path

import pytest
import torch

from tuner.models import precision
from tuner.settings import settings


@pytest.fixture(autouse=True)
def cpu_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DEVICE", "cpu")
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: True)
    settings.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_setting_takes_precedence(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_DTYPE", dtype)
    settings.cache_clear()
    assert precision.training() == precision.inference() == getattr(torch, dtype)


@pytest.mark.parametrize(("speedup", "dtype"), [(0.8, torch.float32), (1.05, torch.float32), (1.9, torch.bfloat16)])
def test_generation_takes_the_faster_type_and_training_the_smaller(
    speedup: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_speedup", lambda: speedup)
    assert precision.inference() == dtype
    assert precision.training() == torch.bfloat16


def test_the_measurement_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_speedup", lambda: 1.9)
    first = precision.inference()
    monkeypatch.setattr(precision, "_speedup", lambda: 0.5)
    precision.inference.cache_clear()
    assert precision.inference() == first
    assert list(json.loads((tmp_path / "home" / "cache" / "precision.json").read_text()).values()) == ["bfloat16"]


def test_without_bfloat16_support_it_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_has_bfloat16", lambda: False)
    assert precision.training() == precision.inference() == torch.float32


def test_the_measurement_is_a_ratio() -> None:
    assert 0.01 < precision._speedup() < 100
