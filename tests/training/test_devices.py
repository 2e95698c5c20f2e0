"""Trainings that run at once get different GPUs."""

import subprocess
import sys

import pytest

from tests.present import present
from tuner.training import devices


def test_each_training_reserves_and_releases_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with devices.reserve() as first, devices.reserve() as second:
        assert (first, second) == ("4", "7")
    with devices.reserve() as again:
        assert again == "4"


def test_another_process_gets_another_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    command = "from tuner.training import devices\nwith devices.reserve() as name: print(name, flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert present(other.stdout).readline() == "4\n"
    with devices.reserve() as mine:
        assert mine == "7"
    other.kill()
    other.wait()
    with devices.reserve() as again:
        assert again == "4"


def test_more_trainings_than_gpus_share_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    with devices.reserve(), devices.reserve() as second:
        assert second == "4"


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with devices.reserve() as name:
        assert name == ""
