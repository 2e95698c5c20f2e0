"""Trainings that run at once get different GPUs."""

import subprocess
import sys

import pytest

from tests.present import present
from tuner.errors import InputError
from tuner.training import devices


def test_each_training_reserves_and_releases_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    with devices.reserve() as first, devices.reserve() as second:
        assert (first, second) == (["4"], ["7"])
    with devices.reserve() as again:
        assert again == ["4"]


def test_another_process_gets_another_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    command = "from tuner.training import devices\nwith devices.reserve() as name: print(name[0], flush=True); input()"
    other = subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert present(other.stdout).readline() == "4\n"
    with devices.reserve() as mine:
        assert mine == ["7"]
    other.kill()
    other.wait()
    with devices.reserve() as again:
        assert again == ["4"]


def test_more_trainings_than_gpus_share_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    with devices.reserve(), devices.reserve() as second:
        assert second == ["4"]


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with devices.reserve() as name:
        assert name == []


def test_a_training_of_several_processes_reserves_a_gpu_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,9")
    with devices.reserve(2) as first, devices.reserve(1) as second, devices.reserve(2) as third:
        assert (first, second, third) == (["4", "7"], ["9"], ["4", "7"])
    with pytest.raises(InputError, match=r"^TUNER_TRAIN_PROCESSES=4: this machine has 3 GPUs; lower it$"):
        devices.reserve(4).__enter__()


def test_every_process_knows_its_place() -> None:
    assert devices.environments([], 1) == [{"CUDA_VISIBLE_DEVICES": ""}]
    first, second = devices.environments(["4", "7"], 2)
    assert first["CUDA_VISIBLE_DEVICES"] == second["CUDA_VISIBLE_DEVICES"] == "4,7"
    assert [each["RANK"] for each in (first, second)] == [each["LOCAL_RANK"] for each in (first, second)] == ["0", "1"]
