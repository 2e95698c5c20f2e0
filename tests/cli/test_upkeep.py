"""The commands that list adapters, move aliases and collect garbage, run as processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import summary
from tests.deployments.processes import PATIENCE
from tests.hollow import hollow
from tuner import adapters, garbage, lineage, loading
from tuner.artifacts import aliases, parquet
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.evaluation.metrics import Difference, Evaluated, Loss
from tuner.registry import planned
from tuner.runs import Run
from tuner.training.metrics import Trained

RECIPE = """\
name: small
models: {generator: owner/chat, student: owner/base}
generation: {rows: 10}
training: {lora: {method: lora}, prompt: {method: prompt_tuning}}
"""
DIFFERENCES = {"lora": (-0.1, -0.2, -0.05), "prompt": (0.02, -0.01, 0.05)}
"""Loss minus the base's and its interval, by adapter."""
TUNER = [sys.executable, "-c", "from cli.commands import main; main()"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def ran(store: Store) -> Callable[..., Run]:
    """A function that makes a run with trained adapters and, by default, an evaluation."""

    def fill(stage: str, folder: Path) -> dict[str, Any]:
        if stage == "split":
            import pyarrow as pa

            parquet.write(pa.table({"row_id": ["7-0-0"]}), folder / "train.parquet")
        if stage == "train":
            (folder / "adapter").mkdir()
            (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"w" * 1_234_567)
            (folder / "adapter" / "tokenizer.json").write_bytes(b"t" * 3_000_000)
            trained = hollow(Trained, method="lora", seconds=96.0, adapter_bytes=1_234_567)
            return trained.model_dump(mode="json")
        if stage == "evaluate":
            differences = tuple(
                Difference(a=name, b="base", difference=value, low=low, high=high, p=0.5)
                for name, (value, low, high) in DIFFERENCES.items()
            )
            subjects = {"base": hollow(Loss, rows=24)}
            return hollow(Evaluated, subjects=subjects, differences=differences).model_dump(mode="json")
        return {}

    def make(name: str, until: str = "evaluate", *overrides: str) -> Run:
        recipe = loading.parse(RECIPE, overrides)
        wanted = planned(recipe)
        run = Run.start(store, recipe, name, until)
        with run.recorded():
            for stage in ("split", "train", "evaluate")[: 3 if until == "evaluate" else 2]:
                for spec in wanted.of(stage):
                    store.build(spec, lambda folder, stage=stage: fill(stage, folder))
                    run.note(spec, "made")
        return run

    return make


def tuner(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [*TUNER, *arguments], capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "COLUMNS": "200"}
    )
    assert done.returncode == code, done.stderr
    if code:
        assert len(done.stderr.splitlines()) == 1
        return done.stderr
    return done.stdout


def test_adapters_with_an_unreadable_evaluation_have_no_loss(store: Store, ran: Callable[..., Run]) -> None:
    ran("first", "train")
    store.build(planned(loading.parse(RECIPE)).one("evaluate"), lambda folder: {"subjects": {}})
    assert [(each.difference, each.rows) for each in adapters.list_adapters(store)] == [(None, None)] * 2


def test_adapters_are_listed_with_losses_and_aliases(store: Store, ran: Callable[..., Run]) -> None:
    ran("first")
    ran("second", "train", "seed=7")
    adapters.promote(store, "first", "lora", "champion")
    adapters.promote(store, "first", "lora", "best")
    lora, prompt, later, _ = listed = adapters.list_adapters(store)
    assert [(each.run, each.adapter) for each in listed] == [
        ("first", "lora"),
        ("first", "prompt"),
        ("second", "lora"),
        ("second", "prompt"),
    ]
    assert (lora.method, lora.difference, lora.low, lora.high) == ("lora", -0.1, -0.2, -0.05)
    assert (lora.bytes, lora.seconds) == (1_234_567, 96.0)
    assert (set(lora.aliases), prompt.aliases) == ({"best", "champion"}, {})
    assert (Path(lora.uri) / "adapter_model.safetensors").is_file()
    assert (later.difference, later.low, later.high) == (None, None, None)


def test_adapters_of_a_run_of_an_older_schema_are_listed(store: Store, ran: Callable[..., Run]) -> None:
    record = ran("first").record
    store.write_run("first", {**record, "recipe": {"of": "another schema"}})
    assert [each.adapter for each in adapters.list_adapters(store)] == ["lora", "prompt"]


def test_a_damaged_adapter_is_not_listed(store: Store, ran: Callable[..., Run]) -> None:
    record = ran("first").record
    damaged = next(each for each in record["artifacts"] if each["label"] == "lora")
    store.replace(f"artifacts/train/{damaged['fingerprint']}/manifest.json", b"{")
    assert [each.adapter for each in adapters.list_adapters(store)] == ["prompt"]


def test_promoting_an_adapter_twice_moves_the_alias_once(store: Store, ran: Callable[..., Run]) -> None:
    ran("first")
    assert adapters.promote(store, "first", "lora", "champion") == adapters.promote(store, "first", "lora", "champion")
    assert len(aliases.history(store, "champion")) == 1


def test_promoting_a_missing_adapter_lists_the_existing_ones(store: Store, ran: Callable[..., Run]) -> None:
    ran("first")
    with pytest.raises(InputError, match=r"^first: has no adapter 'lorra' .*; complete adapters: lora, prompt$"):
        adapters.promote(store, "first", "lorra", "champion")
    with pytest.raises(InputError, match="nobody: no such run"):
        adapters.promote(store, "nobody", "lora", "champion")


def test_showing_a_run_gives_the_paths_of_its_adapters(store: Store, ran: Callable[..., Run]) -> None:
    data = lineage.lineage(store, ran("first").record)
    lora = adapters.list_adapters(store)[0]
    assert data["adapters"]["lora"] == {"uri": lora.uri, "training_rows": ["7-0-0"]}
    assert f"adapter lora: {lora.uri}" in summary.lineage_text(data)


def test_the_commands(store: Store, ran: Callable[..., Run]) -> None:
    ran("first")
    ran("second", "train", "seed=7")
    assert "first lora (" in tuner("promote", "first", "lora")
    assert "since" in tuner("promote", "second", "prompt", "--alias", "challenger")
    tuner("promote", "first", "prompt")
    lines = tuner("adapters").splitlines()
    assert lines[0].split("  ")[0] == "run"
    assert "\N{MINUS SIGN}0.100 (\N{MINUS SIGN}0.20 to \N{MINUS SIGN}0.05)  24 of " in lines[1]
    assert lines[1].split()[-5:-1] == ["1.6", "min", "1.2", "MB"]
    assert lines[2].split()[-1] == "champion"
    prompt = adapters.list_adapters(store)[1]
    assert f"champion: {prompt.uri} (promoted by hand)" in lines
    why = "promoted by hand"
    assert [each["aliases"] for each in json.loads(tuner("adapters", "--json"))] == [
        {},
        {"champion": why},
        {},
        {"challenger": why},
    ]
    assert "champion points at first lora (" in tuner("rollback")
    assert "never pointed at another adapter" in tuner("rollback", "champion", code=2)
    assert "existing aliases: challenger, champion" in tuner("rollback", "nobody", code=2)
    assert "a name has letters" in tuner("promote", "first", "lora", "--alias", "../x", code=2)


def test_garbage_collection_by_command(store: Store, ran: Callable[..., Run]) -> None:
    ran("first")
    partial = "runs/first/run.json.0123456789abcdef"
    store.replace(partial, b"x" * 1_500_000)
    os.utime(Path(store.root, partial), (0, 0))
    expected = [{"kind": "partial write", "path": partial, "files": [partial], "bytes": 1_500_000}]
    assert json.loads(tuner("collect-garbage", "--dry-run", "--json")) == expected
    assert tuner("collect-garbage", "--dry-run").splitlines()[-1] == "1.5 MB would be removed"
    lines = tuner("collect-garbage").splitlines()
    assert lines[1].split() == ["partial", "write", "runs", "1", "1.5"]
    assert lines[-1] == "1.5 MB were removed"
    assert tuner("collect-garbage").splitlines() == ["0.0 MB were removed"]
    assert garbage.collect(store) == []
