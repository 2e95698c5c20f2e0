"""MLflow, trackio and Weights & Biases: their own readers find every value once, and nothing is sent or given away.

They need the extras `mlflow`, `trackio` and `wandb`: `make test-trackers` sets them up.
"""

import json
import os
import socket
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.export.trackers.conftest import STEPS, loss_at
from tuner.errors import InputError
from tuner.export import trackers

pytestmark = pytest.mark.trackers

SECRETS = {
    "HF_TOKEN": "hf_madeupmadeupmadeup",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "MLFLOW_TRACKING_PASSWORD": "made-up-password",
}
TRAINING = pytest.approx([loss_at(n) for n in range(1, STEPS + 1)])


@pytest.fixture(scope="module", autouse=True)
def trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """trackio reads its folder from the environment when it is imported."""
    folder = tmp_path_factory.mktemp("trackio")
    before = os.environ.get("TRACKIO_DIR")
    os.environ["TRACKIO_DIR"] = str(folder)
    yield folder
    os.environ.pop("TRACKIO_DIR") if before is None else os.environ.update(TRACKIO_DIR=before)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process connects to nothing but itself, and its environment holds secrets."""

    def connect(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"connects to {address}")
        real(self, address)  # pyright: ignore[reportArgumentType]

    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", connect)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def gives_away(folder: Path) -> list[str]:
    """The secrets, and the name of this machine, that stand in files of a folder."""
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [each for each in (*SECRETS.values(), socket.gethostname()) if len(each) > 4 and each.encode() in content]


def client(uri: str) -> Any:
    return import_module("mlflow").MlflowClient(tracking_uri=uri)


def test_mlflow_has_each_value_once(store, made, tmp_path):
    for until, new in (("train", [True, True]), ("evaluate", [True] * 3), ("evaluate", [False] * 3)):
        exported = trackers.export(store, made(until), f"mlflow:{tmp_path}/flow")
        assert [each.new for each in exported.curves] == new
    flow = client(f"sqlite:///{tmp_path}/flow/mlflow.db")
    experiment = flow.get_experiment_by_name("first")
    runs = {run.info.run_name: run for run in flow.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["base", "lora", "prompt"]
    history = flow.get_metric_history(runs["lora"].info.run_id, "train/loss")
    assert [each.step for each in history] == list(range(1, STEPS + 1))
    assert [each.value for each in history] == TRAINING
    assert history[2].timestamp - history[0].timestamp == 1000
    assert runs["lora"].data.metrics["held_out/against_base/minus_base"] == -0.25
    assert runs["lora"].data.params["r"] == "4"
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert not gives_away(tmp_path / "flow")


def test_an_export_to_mlflow_that_was_cut_off_is_repeated(store, made, tmp_path, monkeypatch):
    record = made()
    with monkeypatch.context() as patch:
        patch.setattr(import_module("mlflow").MlflowClient, "set_terminated", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            trackers.export(store, record, f"mlflow:{tmp_path}/flow")
    exported = trackers.export(store, record, f"mlflow:{tmp_path}/flow")
    assert all(each.new for each in exported.curves)
    flow = client(f"sqlite:///{tmp_path}/flow/mlflow.db")
    experiment = flow.get_experiment_by_name("first")
    assert len(flow.search_runs([experiment.experiment_id])) == 3


def _cut_off(*_):
    raise KeyboardInterrupt


def test_mlflow_in_a_database_of_ones_own(store, made, tmp_path):
    uri = f"sqlite:///{tmp_path}/own.db"
    trackers.export(store, made(), f"mlflow:{uri}")
    assert client(uri).get_experiment_by_name("first") is not None


def test_what_mlflow_refuses_is_explained(store, made, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        InputError, match=r"^--to mlflow:http://127.0.0.1:9: MLflow refused \(.*[Cc]onnection"
    ) as refused:
        trackers.export(store, made(), "mlflow:http://127.0.0.1:9")
    assert "\n" not in str(refused.value)


def test_a_password_in_the_address_of_mlflow_is_refused_and_not_shown(store, made):
    with pytest.raises(InputError, match=r"holds a password.* set MLFLOW_TRACKING_USERNAME") as refused:
        trackers.export(store, made(), "mlflow:http://me:hush@127.0.0.1:9")
    assert "hush" not in str(refused.value)


def test_trackio_has_each_value_once(store, made, trackio_folder):
    trackio: Any = import_module("trackio")
    for until, new in (("train", [True, True]), ("evaluate", [True] * 3), ("evaluate", [False] * 3)):
        exported = trackers.export(store, made(until), "trackio:ours")
        assert [each.new for each in exported.curves] == new
    runs = {run.name: run for run in trackio.Api().runs("ours")}
    assert sorted(runs) == ["first/base", "first/lora", "first/prompt"]
    assert len(list(trackio.Api().runs("ours"))) == 3
    logs = trackio.SQLiteStorage.get_logs("ours", "first/lora")
    losses = {entry["step"]: entry["train/loss"] for entry in logs if "train/loss" in entry}
    assert list(losses) == list(range(1, STEPS + 1))
    assert list(losses.values()) == TRAINING
    assert [entry["held_out/loss"] for entry in logs if "held_out/loss" in entry] == [1.25]
    assert len(logs) == STEPS + 1
    assert runs["first/lora"].config["r"] == 4
    assert not gives_away(trackio_folder)


def test_a_name_that_trackio_cannot_use_is_refused(store, made):
    with pytest.raises(InputError, match=r"^--to trackio:registry-x: .* reserved"):
        trackers.export(store, made(), "trackio:registry-x")


def test_wandb_has_each_value_once(store, made, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    for until, new in (("train", [True, True]), ("evaluate", [True] * 3), ("evaluate", [False] * 3)):
        exported = trackers.export(store, made(until), "wandb:us/ours")
        assert [each.new for each in exported.curves] == new
    assert exported.next == f"to upload it: wandb sync {tmp_path}/wandb/offline-run-*"
    runs = {run["name"]: run for run in map(offline_run, (tmp_path / "wandb").glob("*/*.wandb"))}
    assert sorted(runs) == ["first/base", "first/lora", "first/prompt"]
    assert len(list((tmp_path / "wandb").iterdir())) == 3
    lora = runs["first/lora"]
    assert (lora["entity"], lora["project"], lora["group"]) == ("us", "ours", "first")
    assert [step["_step"] for step in lora["history"]] == list(range(1, STEPS + 1))
    assert [step["train/loss"] for step in lora["history"]] == TRAINING
    assert lora["summary"]["held_out/loss"] == 1.25
    assert lora["config"]["r"] == 4
    assert not gives_away(tmp_path / "wandb")
    trackers.export(store, made(), "wandb:us/another")
    assert len(list((tmp_path / "wandb").iterdir())) == 6


@pytest.mark.parametrize("place", ["a/b/c", "a b", "/x"])
def test_a_name_that_wandb_cannot_use_is_refused(place, store, made):
    with pytest.raises(InputError, match="write it as wandb:PROJECT or wandb:ENTITY/PROJECT"):
        trackers.export(store, made(), f"wandb:{place}")


def offline_run(path: Path) -> dict:
    """What stands in the file of an offline run."""
    Record = import_module("wandb.proto.wandb_internal_pb2").Record  # noqa: N806
    found: dict = {"history": [], "summary": {}, "config": {}}
    for content in records(path.read_bytes()):
        record = Record.FromString(content)
        match record.WhichOneof("record_type"):
            case "run":
                run = record.run
                found |= {"name": run.display_name, "entity": run.entity, "project": run.project}
                found |= {"group": run.run_group}
                found["config"] |= values(run.config.update)
            case "history":
                found["history"].append(values(record.history.item))
            case "summary":
                found["summary"] |= values(record.summary.update)
            case _:
                pass
    return found


def values(items) -> dict:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def records(content: bytes) -> Iterator[bytes]:
    """The records of a file in the format of LevelDB's logs, which begins with a header of seven bytes."""
    at, joined = 7, b""
    while at < len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        joined += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield joined
            joined = b""
