"""The results of a training: the adapter, its learning curve and its peak memory."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from tuner.models import loading
from tuner.training import card, checkpoints
from tuner.training.methods import Method

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CURVE = pa.schema(
    {
        "step": pa.int64(),
        "epoch": pa.float64(),
        "loss": pa.float64(),
        "tuning_loss": pa.float64(),
        "margin": pa.float64(),
        "accuracy": pa.float64(),
        "learning_rate": pa.float64(),
        "seconds": pa.float64(),
    }
)
"""The columns of `curve.parquet`; see `curve`."""

LOSSES_FILE = "losses.parquet"
LOSSES = pa.schema({"row_id": pa.string(), "loss_sum": pa.float64(), "tokens": pa.int64()})
"""Its columns, of every row to choose by: its loss, summed over its tokens in nats, and the tokens. A pair counts as
one token."""


def parameters(model: Any) -> tuple[int, int]:
    """The numbers of trained parameters, and of all."""
    if hasattr(model, "get_nb_trainable_parameters"):
        return model.get_nb_trainable_parameters()  # which knows how many a weight in 4 bit stands for
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad), model.num_parameters()


def save_adapter(model: Any, settings: Method, tokenizer: "PreTrainedTokenizerBase", student: str, folder: Path) -> int:
    """Saves the adapter with the tokenizer and chat template it was trained with.

    Returns:
        The size of the adapter's weights in bytes.
    """
    settings.save(model, folder)
    tokenizer.save_pretrained(folder)
    config = folder / "adapter_config.json"
    if is_adapter := config.exists():
        portable = _portable(json.loads(config.read_text()), student)
        config.write_text(json.dumps(portable, indent=2, sort_keys=True))
    base, _ = loading.reference(student)
    (folder / "README.md").write_text(card.text(settings.name(), base, student, not is_adapter), encoding="utf-8")
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def save_state(checkpoint: Path, folder: Path) -> int:
    """Copies the checkpoint in which a leg of a training ended.

    Returns:
        The size of the trained weights in bytes.
    """
    shutil.copytree(checkpoint, folder)
    return (folder / checkpoints.TRAINED).stat().st_size


def _portable(config: dict[str, Any], student: str) -> dict[str, Any]:
    """The adapter's configuration with the name that the student is loaded by anywhere."""
    config["base_model_name_or_path"], config["revision"] = loading.reference(student)
    if config.get("tokenizer_name_or_path"):
        config["tokenizer_name_or_path"] = config["base_model_name_or_path"]
    # PEFT holds a set, whose order changes with Python's hash seed.
    if isinstance(modules := config.get("target_modules"), list):
        config["target_modules"] = sorted(modules)
    return config


def curve(history: list[dict[str, Any]]) -> pa.Table:
    """The learning curve, one row per optimizer step, from the trainer's log.

    The loss on the rows to choose by is null in the steps after which it was not measured. Margin and accuracy, null
    but for preference objectives, are means over the step's pairs: by how many nats the chosen answer has become
    likelier than the rejected one, and the share of pairs where it has.
    """
    measured = {entry["step"]: entry["tuning_loss"] for entry in history if "tuning_loss" in entry}
    rows = [{**entry, "tuning_loss": measured.get(entry["step"])} for entry in history if "loss" in entry]
    return pa.Table.from_pylist([{name: row.get(name) for name in CURVE.names} for row in rows], schema=CURVE)


def peak_memory() -> tuple[int, Literal["cuda", "process"]]:
    """The peak memory of this process.

    Returns:
        Bytes, and the kind of memory: `cuda` (allocated by torch) or `process` (resident).
    """
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated(), "cuda"
    # Not getrusage, in which a child inherits its parent's peak; this value is reset at exec.
    status = Path("/proc/self/status")
    if status.exists():
        for entry in status.read_text().splitlines():
            if entry.startswith("VmHWM:"):
                return int(entry.split()[1]) * 1024, "process"
    import psutil

    return psutil.Process().memory_info().rss, "process"
