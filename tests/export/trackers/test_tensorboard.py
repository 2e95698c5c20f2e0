"""TensorBoard's own reader finds every value once, however often a run is exported."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from tests.deployments.processes import PATIENCE
from tests.export.trackers.conftest import STEPS, loss_at
from tuner.errors import InputError
from tuner.export import trackers

TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]


def events(folder):
    read = EventMultiplexer(size_guidance={"scalars": 0, "tensors": 0})
    read.AddRunsFromDirectory(str(folder))
    read.Reload()
    return read


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_curves_and_figures_are_read_back(store, made, tmp_path):
    exported = trackers.export(store, made(), f"tensorboard:{tmp_path}/board")
    read = events(tmp_path / "board")
    assert sorted(read.Runs()) == ["first/base", "first/lora", "first/prompt"]
    scalars = read.Scalars("first/lora", "train/loss")
    assert [each.step for each in scalars] == list(range(1, STEPS + 1))
    assert [each.value for each in scalars] == pytest.approx([loss_at(n) for n in range(1, STEPS + 1)])
    assert scalars[9].wall_time - scalars[1].wall_time == pytest.approx(4)
    assert [(each.step, each.value) for each in read.Scalars("first/lora", "held_out/loss")] == [(STEPS, 1.25)]
    assert [(each.step, each.value) for each in read.Scalars("first/base", "held_out/loss")] == [(0, 1.5)]
    assert exported.next == f"to look at it: tensorboard --logdir {tmp_path}/board"
    assert [(each.subject, each.new) for each in exported.curves] == [("lora", True), ("prompt", True), ("base", True)]
    counted = sum(len(read.Scalars("first/lora", tag)) for tag in read.Runs()["first/lora"]["scalars"])
    assert exported.curves[0].points == counted


def test_the_settings_are_shown_as_hyperparameters(store, made, tmp_path):
    trackers.export(store, made(), f"tensorboard:{tmp_path}")
    accumulator = events(tmp_path).GetAccumulator("first/lora")
    ours: Any = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
    ((_, plain),) = accumulator.PluginTagToContent("hparams").items()
    settings = ours.HParamsPluginData.FromString(plain).session_start_info.hparams
    assert settings["method"].string_value == "lora"
    assert settings["r"].number_value == 4


def test_a_second_export_changes_nothing(store, made, tmp_path):
    record = made()
    trackers.export(store, record, f"tensorboard:{tmp_path}/board")
    before = content(tmp_path / "board")
    again = trackers.export(store, record, f"tensorboard:{tmp_path}/board")
    assert not any(each.new for each in again.curves)
    assert content(tmp_path / "board") == before


def test_what_has_changed_replaces_what_was_there_and_nothing_else(store, made, tmp_path):
    to = f"tensorboard:{tmp_path}/board"
    trackers.export(store, made("train"), to)
    trackers.export(store, made("train", ("seed=7",), "second"), to)
    theirs = tmp_path / "board" / "first" / "lora" / "events.out.tfevents.1.of-another-program"
    theirs.touch()
    exported = trackers.export(store, made(), to)
    assert all(each.new for each in exported.curves)
    assert theirs.exists()
    read = events(tmp_path / "board")
    assert len(read.Scalars("first/lora", "train/loss")) == len(read.Scalars("second/lora", "train/loss")) == STEPS


def test_an_export_that_was_cut_off_is_repeated(store, made, tmp_path):
    record = made()
    (tmp_path / "first" / "lora").mkdir(parents=True)
    (tmp_path / "first" / "lora" / ".partial").write_bytes(b"half")
    trackers.export(store, record, f"tensorboard:{tmp_path}")
    assert [path.name[:20] for path in (tmp_path / "first" / "lora").iterdir()] == ["events.out.tfevents."]


def test_a_place_that_is_no_folder_is_refused(store, made, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--to tensorboard:.*/file: cannot be written \(.*Not a directory\)"):
        trackers.export(store, made(), f"tensorboard:{tmp_path}/file")
    with pytest.raises(InputError, match="give a folder of this machine"):
        trackers.export(store, made(), "tensorboard:s3://bucket/board")
    with pytest.raises(InputError, match=r"^--to tensorboard:: write it as tensorboard:DIR$"):
        trackers.export(store, made(), "tensorboard:")


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_a_missing_library_is_named_with_its_extra(name, store, made, monkeypatch):
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=rf"^--to {name}: needs the extra `{name}`: pip install '.\[{name}\]' \("):
        trackers.export(store, made(), f"{name}:place")


def test_the_command(made, tmp_path):
    made()
    made("split", ("seed=7",), "half")

    def tuner(*arguments):
        return subprocess.run([*TUNER, "export", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    done = tuner("first", "--to", f"tensorboard:{tmp_path}/board")
    assert done.returncode == 0, done.stderr
    *rows, last = done.stdout.splitlines()
    assert [row.split()[::3] for row in rows] == [["lora", "written"], ["prompt", "written"], ["base", "written"]]
    assert last == f"first was exported; to look at it: tensorboard --logdir {tmp_path}/board"
    assert "there already" in tuner("first", "--to", f"tensorboard:{tmp_path}/board").stdout
    done = tuner("half", "--to", f"tensorboard:{tmp_path}/board")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "half: has no trained adapter yet" in done.stderr
