"""The log-likelihoods of preference pairs under the reference: the student as it is before the training.

They are the same for every objective, its settings and the method, so they are computed once and kept.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tuner.artifacts import parquet
from tuner.errors import StageError
from tuner.progress import Event, emit
from tuner.training import pairs
from tuner.training.metrics import Referred
from tuner.training.pairs import Pair

if TYPE_CHECKING:
    from tuner.models.settings import Models

SCHEMA = pa.schema(
    {"row_id": pa.string(), "chosen": pa.float64(), "rejected": pa.float64(), "mismatched": pa.float64()}
)
"""Summed log-likelihoods in nats: of the chosen answer, of the rejected one, and of the next pair's chosen answer to
this prompt, in the order of the file of pairs; null where it is not needed."""

BATCH_TOKENS = 2048
"""Token positions in a batch, about."""


def refer(
    models: "Models",
    quantization: str | None,
    start: Path | None,
    files: Mapping[str, Path],
    max_length: int,
    mismatched: bool,
    folder: Path,
    label: str,
) -> Referred:
    """Writes the likelihoods of the pairs of every side, each to a file of the side's name.

    Args:
        models: The recipe's section.
        quantization: How the student is loaded.
        start: The folder of an adapter that the trainings go on from, if any.
        files: The pairs of each side, the first of which is trained on.
        max_length: Prompt and answer are truncated to this many tokens.
        mismatched: Whether each prompt is scored with the next pair's chosen answer, too.
        folder: Where the files are written.
        label: The artifact's label, for its progress.

    Raises:
        StageError: If no pair is left within `max_length`, or the adapter does not fit the student.
    """
    from tuner.models import adapted, chat, loading, precision

    student = chat.load(models, "student")
    encoded = {side: pairs.encoded(file, student, max_length) for side, file in files.items()}
    if not next(iter(encoded.values())):
        raise StageError(f"reference {label}: max_length {max_length} cuts off an answer of every pair")
    began = time.perf_counter()
    model: Any = loading.load_model(models.student, precision.training(), quantization)
    if start and (start / "adapter_config.json").exists():
        model = adapted.put_on(model, start)
    elif start:
        adapted.replace(model, start)
    sides = {side: [each, pairs.mismatched(each)] if mismatched else [each] for side, each in encoded.items()}
    total = sum(len(each) for passes in sides.values() for each in passes)
    done = 0

    def progress(number: int) -> None:
        nonlocal done
        done += number
        emit(Event("reference", label, done=done, total=total))

    written: list[dict[str, Any]] = []
    for side, passes in sides.items():
        scored = [likelihoods(model, each, student.tokenizer.pad_token_id, progress) for each in passes]
        others = [value for value, _ in scored[1]] if mismatched else [None] * len(passes[0])
        rows = [
            {"row_id": pair.row_id, "chosen": chosen, "rejected": rejected, "mismatched": other}
            for pair, (chosen, rejected), other in zip(passes[0], scored[0], others, strict=True)
        ]
        parquet.write(pa.Table.from_pylist(rows, schema=SCHEMA), folder / f"{side}.parquet")
        written += rows
    seconds = time.perf_counter() - began
    tokens = sum(pair.tokens for passes in sides.values() for each in passes for pair in each)
    return Referred(
        pairs=len(written),
        left_out=sum(parquet.read(file).num_rows for file in files.values()) - len(written),
        mismatched=mismatched,
        chosen=sum(row["chosen"] for row in written) / len(written),
        rejected=sum(row["rejected"] for row in written) / len(written),
        tokens=tokens,
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        device=loading.device(),
        dtype=str(precision.training()).removeprefix("torch."),
    )


def likelihoods(
    model: Any, encoded: Sequence[Pair], pad_id: int, progress: Any = lambda number: None
) -> list[tuple[float, float]]:
    """The summed log-likelihoods of the answers of every pair, in nats, computed as the training does.

    Args:
        model: A causal language model, or a PEFT model around one.
        encoded: The pairs.
        pad_id: Pads shorter rows.
        progress: Called with the number of pairs of each batch.
    """
    import torch

    from tuner.models import precision

    model.eval()
    layout = pairs.layout(model, pad_id)
    found: list[tuple[float, float]] = [(0.0, 0.0)] * len(encoded)
    mixed = precision.training() == torch.bfloat16
    autocast = torch.autocast(model.device.type, torch.bfloat16) if mixed else nullcontext()
    with torch.inference_mode(), autocast:
        for batch in _batches(encoded):
            tensors = {name: tensor.to(model.device) for name, tensor in layout([encoded[at] for at in batch]).items()}
            chosen, rejected = pairs.likelihoods(model, tensors)
            for at, both in zip(batch, zip(chosen.tolist(), rejected.tolist(), strict=True), strict=True):
                found[at] = both
            progress(len(batch))
    return found


def _batches(encoded: Sequence[Pair]) -> list[list[int]]:
    """Batches of indices, the longest pairs first, so that running out of memory shows at once."""
    batches: list[list[int]] = []
    for at in sorted(range(len(encoded)), key=lambda at: (-encoded[at].tokens, at)):
        if batches and encoded[batches[-1][0]].tokens * (len(batches[-1]) + 1) <= BATCH_TOKENS:
            batches[-1].append(at)
        else:
            batches.append([at])
    return batches
