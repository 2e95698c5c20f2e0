"""Writes a trained adapter as a LoRA, the one kind of adapter that servers such as vLLM load."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner import adapters, runs
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.evaluation.metrics import Difference, Loss
from tuner.folders import atomic_folder, is_vacant
from tuner.progress import Event, emit
from tuner.report.wording import number, percent, rows_of
from tuner.settings import settings
from tuner.splitting.sides import SIDES, VALIDATION, file_of
from tuner.training.methods import METHODS, Method

if TYPE_CHECKING:
    from tuner.evaluation.bench import Bench
    from tuner.models.conversion import Nearest

RANK = 64
"""The rank of a LoRA that another adapter is converted to, unless one is given."""

_CONFIG, _CARD = "adapter_config.json", "README.md"


@dataclass(frozen=True)
class Conversion:
    """What a conversion changed, measured.

    Attributes:
        kept: The share of the adapter's change of the weights that the LoRA makes; see `conversion.Nearest`.
        before: The adapter's loss on the held-out rows.
        after: That of the LoRA, as it was read again from its folder.
        difference: `after` less `before`, paired by row.
    """

    kept: float
    before: Loss
    after: Loss
    difference: Difference


@dataclass(frozen=True)
class Written:
    """A LoRA that was written.

    Attributes:
        folder: Its folder.
        method: The method that the adapter was trained with.
        rank: The LoRA's largest rank.
        conversion: None if the adapter is a LoRA itself and was copied.
    """

    folder: Path
    method: str
    rank: int
    conversion: Conversion | None


def write(store: Store, run: str, adapter: str, to: Path, rank: int | None = None) -> Written:
    """Writes an adapter of a run as a LoRA: copied if it is one, else converted to the nearest of a rank.

    A conversion loads the student unquantized, as a server does, and scores both adapters on the run's held-out rows.

    Args:
        store: The store of the run.
        run: The run's name.
        adapter: The adapter's name in the run.
        to: A folder that does not exist or is empty; if anything fails, it stays as it was.
        rank: That of a conversion; by default `RANK`.

    Raises:
        InputError: If there is no such adapter, no LoRA can stand for it, it has no such rank, or the folder holds
            files.
        DamagedArtifactError: If a file of the adapter or of its held-out rows is damaged.
        StageError: If no held-out row has a response within the recipe's `max_length`.
    """
    if not is_vacant(to):
        raise InputError(f"{to}: is not empty; name another folder, or remove what is there")
    record = runs.find(store, run)
    manifest, trained = adapters.find(store, record, adapter)
    method = METHODS.get(trained.method)
    if method is None:
        raise InputError(f"{run}: {adapter} was trained with {trained.method}, which this version does not know")
    if method.serves_as_lora == "not at all":
        raise _unfit(store, record, adapter, manifest, method)
    source = store.fetch_folder(manifest, "adapter", settings().folder("cache/adapters") / manifest.fingerprint)
    if method.serves_as_lora == "as it is":
        own = _rank(source)
        if rank is not None:
            raise InputError(f"--rank {rank}: {adapter} is a LoRA of rank {own} and is copied as it is; leave it out")
        with atomic_folder(to) as folder:
            shutil.copytree(source, folder, dirs_exist_ok=True)
        return Written(to, trained.method, own, None)
    split = store.find("split", str(manifest.inputs["data"]))
    if split is None:
        raise InputError(f"{run}: its held-out rows are no longer in the store; run the recipe again until `split`")
    validation = store.fetch(split, file_of(SIDES[VALIDATION]))
    conversion = _convert(record, adapter, validation, source, to, rank or RANK)
    return Written(to, trained.method, rank or RANK, conversion)


def _convert(record: dict[str, Any], adapter: str, validation: Path, source: Path, to: Path, rank: int) -> Conversion:
    from tuner.evaluation.bench import Bench
    from tuner.evaluation.subjects import loaded_adapter
    from tuner.models.conversion import nearest_lora

    recipe = runs.recipe_of(record)
    bench = Bench(recipe, validation, "lora", 2)
    bench.load(None)
    with atomic_folder(to) as folder:
        with loaded_adapter(bench.model, source) as model:
            nearest = nearest_lora(model, rank, lambda done, of: emit(Event("lora", "layers", done=done, total=of)))
            bench.score("before", model)
        save(nearest, source, folder)
        with loaded_adapter(bench.model, folder) as model:
            bench.score("after", model)
        conversion = _measured(bench, nearest.kept)
        made_from = f"the adapter `{adapter}` ({recipe.trained[adapter].name()}) of the run `{record['name']}`"
        _write_card(folder, recipe.models.student, made_from, rank, conversion)
    return conversion


def _measured(bench: "Bench", kept: float) -> Conversion:
    return Conversion(kept, bench.loss("before"), bench.loss("after"), bench.difference("after", "before"))


def save(nearest: "Nearest", source: Path, folder: Path) -> None:
    """Writes a converted adapter, with the tokenizer and chat template that it was trained with.

    Args:
        nearest: The LoRA.
        source: The folder of the adapter that it was converted from.
        folder: An empty folder.
    """
    from safetensors.torch import save_file

    for path in source.iterdir():
        if path.name not in (_CONFIG, _CARD) and path.suffix != ".safetensors":
            shutil.copyfile(path, folder / path.name)
    save_file(nearest.weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    nearest.config.save_pretrained(str(folder))
    former, config = (json.loads((each / _CONFIG).read_text()) for each in (source, folder))
    # The name that the student is loaded by anywhere, where PEFT writes that of this machine.
    config |= {key: former[key] for key in ("base_model_name_or_path", "revision")}
    config["target_modules"] = sorted(config["target_modules"])
    (folder / _CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True))


def _write_card(folder: Path, student: str, made_from: str, rank: int, conversion: Conversion) -> None:
    from tuner.models import loading
    from tuner.training import card

    text = card.text("lora", loading.reference(student)[0], student, whole=False)
    (folder / _CARD).write_text(
        f"{text}\n"
        f"It is the nearest LoRA of rank {rank} to {made_from}, of whose change of the weights it makes "
        f"{percent(conversion.kept)} (squared norm). On {rows_of(conversion.after.rows)} held out its loss is "
        f"{number(conversion.after.loss, 4)} nats per token, that adapter's {number(conversion.before.loss, 4)}.\n",
        encoding="utf-8",
    )


def _rank(folder: Path) -> int:
    config = json.loads((folder / _CONFIG).read_text())
    return max(config["r"], *config.get("rank_pattern", {}).values(), 0)


def _unfit(store: Store, record: dict[str, Any], adapter: str, manifest: Manifest, method: type[Method]) -> InputError:
    """The error for an adapter that no LoRA can stand for: what can be served instead."""
    folder = store.uri(manifest, "adapter")
    if method.is_prompt:
        instead = f"is a prompt, which is no LoRA; load it with PEFT, as {folder}/{_CARD} shows"
    elif all(file.name != f"adapter/{_CONFIG}" for file in manifest.files):
        instead = f"is a whole model; serve {folder} itself"
    else:
        instead = f"is of the method {method.name()}, which is no LoRA; serve the student with it merged in"
    able = [
        name
        for name, (_, trained) in adapters.of_run(store, record).items()
        if trained.method in METHODS and METHODS[trained.method].serves_as_lora != "not at all"
    ]
    others = f", or an adapter of this run that can be a LoRA: {', '.join(able)}" if able else ""
    return InputError(f"{record['name']}: {adapter} {instead}{others}")
