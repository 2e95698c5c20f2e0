"""An adapter is written as a LoRA: copied, or converted and measured, or refused with what can be served instead."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands import app
from tests.hollow import hollow
from tests.tiny import write_rows
from tests.training.methods.made import SMALL, made
from tuner import lora, runs
from tuner.artifacts import parquet
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.evaluation.subjects import loaded_adapter
from tuner.models import chat, loading, scoring
from tuner.models.settings import Models
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.runs import Run
from tuner.training import results
from tuner.training.metrics import Trained

METHODS = ("lora", "pissa", "dora", "vera", "ia3", "full", "prompt_tuning")
RANK = 8


@pytest.fixture(autouse=True)
def exact(float32: None) -> None:
    """Everything is computed in float32."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An adapter of each method on the tiny student, as training saves it, with random weights."""
    import torch

    student = chat.load(Models(generator=str(tiny), student=str(tiny)), "student")
    folders = {}
    for name in METHODS:
        folders[name] = tmp_path_factory.mktemp("trained") / name
        torch.manual_seed(3)
        adapted: Any = made(name).adapted(loading.load_model(str(tiny), torch.float32), str(tiny))
        for weight in adapted.parameters():
            if weight.requires_grad:
                weight.data += 0.05 * torch.randn_like(weight)
        results.save_adapter(adapted, made(name), student.tokenizer, str(tiny), folders[name])
    return folders


@pytest.fixture
def ran(store: Store, tiny: Path, trained: dict[str, Path]) -> Run:
    """A run with these adapters and eight held-out rows."""
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "models": {"generator": str(tiny), "student": str(tiny)},
            "generation": {"rows": 10},
            "training": {name: {"method": name, **SMALL.get(name, {})} for name in METHODS},
        }
    )
    wanted = planned(recipe)
    run = Run.start(store, recipe, "first", "train")

    def split(folder: Path) -> dict[str, Any]:
        write_rows(folder / "validation.parquet", 8)
        return {}

    def train(name: str) -> Callable[[Path], dict[str, Any]]:
        def fill(folder: Path) -> dict[str, Any]:
            shutil.copytree(trained[name], folder / "adapter")
            return hollow(Trained, method=name).model_dump(mode="json")

        return fill

    with run.recorded():
        store.build(wanted.one("split"), split)
        for name in METHODS:
            spec = wanted.one("train", name)
            store.build(spec, train(name))
            run.note(spec, "made")
    return run


def losses(tiny: Path, folder: Path) -> float:
    """The held-out loss per token of an adapter's folder."""
    import torch

    student = chat.load(Models(generator=str(tiny), student=str(tiny)), "student")
    rows = parquet.read(write_rows(folder.parent / "again.parquet", 8)).to_pylist()
    encoded = [each for row in rows for each in student.answers(row["messages"], 2048)]
    with loaded_adapter(loading.load_model(str(tiny), torch.float32), folder) as model:
        sums = scoring.losses(model, encoded, student.tokenizer.pad_token_id)
    return sum(sums) / sum(row.tokens for row in encoded)


@pytest.mark.parametrize("method", ["lora", "pissa"])
def test_a_lora_is_copied_as_it_is(
    store: Store, ran: Run, trained: dict[str, Path], tmp_path: Path, method: str
) -> None:
    written = lora.write(store, "first", method, tmp_path / "out")
    assert (written.method, written.rank, written.conversion) == (method, 8 if method == "pissa" else 4, None)
    files = {path.name: path.read_bytes() for path in trained[method].iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


@pytest.mark.parametrize("method", ["dora", "vera"])
def test_another_is_converted_and_measured(
    store: Store, ran: Run, tiny: Path, trained: dict[str, Path], tmp_path: Path, method: str
) -> None:
    written = lora.write(store, "first", method, tmp_path / "out", RANK)
    assert (written.method, written.rank) == (method, RANK)
    measured = written.conversion
    assert measured
    assert 0.1 < measured.kept < 1
    assert measured.before.rows == measured.after.rows == 8
    before, after = (losses(tiny, folder) for folder in (trained[method], tmp_path / "out"))
    assert measured.before.loss == pytest.approx(before, abs=1e-5)
    assert measured.after.loss == pytest.approx(after, abs=1e-5)
    assert measured.difference.difference == pytest.approx(after - before, abs=1e-5) != 0


def test_the_folder_of_a_conversion_is_complete(
    store: Store, ran: Run, tiny: Path, trained: dict[str, Path], tmp_path: Path
) -> None:
    lora.write(store, "first", "dora", tmp_path / "out", RANK)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {path.name for path in trained["dora"].iterdir()}
    assert {"adapter_model.safetensors", "chat_template.jinja", "tokenizer.json", "README.md"} < names
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["peft_type"], config["r"]) == (str(tiny), "LORA", RANK)
    assert not config["use_dora"] and config["inference_mode"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"nearest LoRA of rank {RANK} to the adapter `dora` (dora) of the run `first`" in card
    assert "% (squared norm)" in card and "AutoPeftModelForCausalLM.from_pretrained" in card


def test_two_conversions_write_the_same(store: Store, ran: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        lora.write(store, "first", "vera", tmp_path / name, 2)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("method", "instead"),
    [
        ("prompt_tuning", r"is a prompt, which is no LoRA; load it with PEFT, as \S+/adapter/README.md shows"),
        ("full", r"is a whole model; serve \S+/adapter itself"),
        ("ia3", "is of the method ia3, which is no LoRA; serve the student with it merged in"),
    ],
)
def test_what_no_lora_can_stand_for_is_refused(
    store: Store, ran: Run, tmp_path: Path, method: str, instead: str
) -> None:
    able = "lora, pissa, dora, vera"
    with pytest.raises(
        InputError, match=rf"^first: {method} {instead}, or an adapter of this run that can be a LoRA: {able}$"
    ):
        lora.write(store, "first", method, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_input_is_one_line_and_writes_nothing(store: Store, ran: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for run, adapter, rank, message in (
        ("nobody", "lora", None, "nobody: no such run"),
        ("first", "lorra", None, r"^first: has no adapter 'lorra' .*; complete adapters: lora, pissa"),
        ("first", "lora", 4, "^--rank 4: lora is a LoRA of rank 4 and is copied as it is; leave it out$"),
        ("first", "dora", 33, "^rank 33: .*k_proj has a rank of 32 at most; choose one up to that$"),
    ):
        with pytest.raises(InputError, match=message):
            lora.write(store, run, adapter, out, rank)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]
    out.mkdir()
    (out / "mine").touch()
    with pytest.raises(InputError, match="out: is not empty; name another folder, or remove what is there"):
        lora.write(store, "first", "lora", out)
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_run_without_its_held_out_rows_converts_nothing(store: Store, ran: Run, tmp_path: Path) -> None:
    split = planned(runs.recipe_of(ran.record)).one("split")
    shutil.rmtree(Path(store.root, "artifacts", "split", split.fingerprint))
    with pytest.raises(InputError, match=r"^first: its held-out rows are no longer in the store; run"):
        lora.write(store, "first", "dora", tmp_path / "out")
    assert lora.write(store, "first", "lora", tmp_path / "out").rank == 4


def test_the_command(store: Store, ran: Run, tmp_path: Path) -> None:
    def tuner(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["lora", "first", *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    copied = tuner("lora", str(tmp_path / "a"))
    assert copied == f"lora (lora) is a LoRA of rank 4 and was copied as it is to {tmp_path / 'a'}\n"
    first, kept, loss = tuner("dora", str(tmp_path / "b"), "--rank", str(RANK)).splitlines()
    assert first == f"dora (dora) was converted to a LoRA of rank {RANK} in {tmp_path / 'b'}"
    data = json.loads(tuner("dora", str(tmp_path / "c"), "--rank", str(RANK), "--json"))
    assert (data["method"], data["rank"], data["folder"]) == ("dora", RANK, str(tmp_path / "c"))
    measured = data["conversion"]
    assert kept == f"kept: {100 * measured['kept']:.1f} % of the change of the weights (squared norm)"
    assert loss.startswith(f"held-out loss: {measured['before']['loss']:.4f} before, {measured['after']['loss']:.4f} ")
    assert loss.endswith("), on 8 rows")
    assert (measured["difference"]["a"], measured["difference"]["b"]) == ("after", "before")
