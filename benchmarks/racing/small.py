"""Sweeps of a small recurrent network that is trained from scratch on bytes: real curves in seconds a trial.

They have what a short fine-tuning of the default student has little of: rates that are far too large, curves that cross
late, and schedules beside the default one.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import get_scheduler

from benchmarks.racing.curves import Curves, Floats
from tuner.training import optimizers

SCHEDULES = ("linear", "stable_decay", "cosine", "constant")
WIDTHS = (32, 96)
RATES = tuple(float(f"{rate:.2g}") for rate in np.geomspace(6e-4, 6e-1, 8))
SHARES = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
SEED = 2
BYTES = 64
TRAINED, TUNED, BATCH_SIZE, EPOCHS = 600, 64, 20, 4

Rows = Sequence[torch.Tensor]


class Network(nn.Module):
    """Predicts the next byte.

    Args:
        width: Of its embeddings and of its state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(256, width), nn.Embedding(BYTES, width)
        self.state, self.norm = nn.GRU(width, width, batch_first=True), nn.LayerNorm(width)
        self.head = nn.Linear(width, 256)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The logits of the next byte, shape (rows, bytes, 256)."""
        hidden = self.bytes(ids) + self.places(torch.arange(ids.shape[1]))
        return self.head(self.norm(hidden + self.state(hidden)[0]))

    def losses(self, rows: Rows) -> torch.Tensor:
        """The loss of every row, summed over its bytes but the first, shape (rows,)."""
        ids = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        targets = nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=-100)[:, 1:]
        logits = self(ids)[:, :-1].transpose(1, 2)
        return functional.cross_entropy(logits, targets, ignore_index=-100, reduction="none").sum(dim=1)


def read(file: Path) -> tuple[Rows, Rows]:
    """The rows to train on and to tune on, of a JSON list with `instruction` and `output`."""
    texts = [f"{row['instruction']}\n{row['output']}".encode() for row in json.loads(file.read_text(encoding="utf-8"))]
    rows = [torch.tensor(list(text[:BYTES])) for text in texts if len(text) > 20]
    rows = [rows[place] for place in np.random.default_rng(SEED).permutation(len(rows))[: TUNED + TRAINED]]
    return rows[TUNED:], rows[:TUNED]


def sweep(schedule: str, file: Path) -> Curves:
    """Trains all widths at all rates in full."""
    trained, tuned = read(file)
    trials = [(width, rate) for width in WIDTHS for rate in RATES]
    return Curves(
        f"bytes, {schedule}",
        tuple(f"width {width}, rate {rate:g}" for width, rate in trials),
        SHARES,
        np.array([len(row) - 1.0 for row in tuned]),
        np.array([_curve(schedule, width, rate, trained, tuned) for width, rate in trials]),
    )


def _curve(schedule: str, width: int, rate: float, trained: Rows, tuned: Rows) -> list[Floats]:
    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    network = Network(width)
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0)
    steps = EPOCHS * len(trained) // BATCH_SIZE
    kwargs: Any = optimizers.schedule(schedule, steps)
    name = optimizers.SCHEDULERS.get(schedule, schedule)
    scheduler = get_scheduler(name, optimizer, round(0.03 * steps), steps, kwargs)
    orders = [order for _ in range(EPOCHS) for order in random.permutation(len(trained)).reshape(-1, BATCH_SIZE)]
    looks = [_scored(network, tuned)]
    for step, order in enumerate(orders, 1):
        batch = [trained[place] for place in order]
        loss = network.losses(batch).sum() / sum(len(row) - 1 for row in batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step in {round(share * steps) for share in SHARES}:
            looks.append(_scored(network, tuned))
    return looks


def _scored(network: Network, rows: Rows) -> Floats:
    with torch.inference_mode():
        return network.losses(rows).double().numpy()
