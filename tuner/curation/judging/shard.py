"""Judges one shard: the rows that pass all checks of single rows, as they are after cleaning."""

import datetime
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tuner.artifacts import parquet
from tuner.curation.checks.judging import Judging
from tuner.curation.columns.messages import with_texts
from tuner.curation.judging.judge import Judge
from tuner.curation.judging.metrics import Judged
from tuner.curation.judging.reward import Rewarder, Row
from tuner.curation.judging.tags import REWARD, column, probability_column
from tuner.curation.texts import CONTENTS
from tuner.models import resident
from tuner.progress import Event, emit
from tuner.rows import TOOLS
from tuner.settings import settings

FILE = "judged.parquet"


def judge_shard(
    rows: Path, checks: Path, judging: Judging, date: datetime.date, folder: Path, label: str = ""
) -> Judged:
    """Judges a shard and writes `judged.parquet`, whose rows are in the shard's order.

    A model stays in memory for the next shard, unless the recipe names two.

    Args:
        rows: `rows.parquet` of a shard.
        checks: `checks.parquet` of `examine`.
        judging: The models, and what they say.
        date: The day that chat templates print.
        folder: Where to write.
        label: The shard, for progress.

    Raises:
        InputError: If a model cannot be loaded or used.
    """
    passed, read = passing(rows, checks)
    total = len(read) * (len(judging.tags) + (judging.reward is not None))
    clock = _Clock(total, label)
    columns: dict[str, pl.Series] = {}
    size = settings().batch_size
    device, dtype = "", ""
    if judging.judge is not None:
        key = ("judge", judging.judge, date)
        with resident.using(key, lambda model=judging.judge: Judge(model, date), lambda _: None) as judge:
            asked = ["\n\n".join(m["content"] for m in messages if m["role"] == "user") for messages, _ in read]
            device, dtype = judge.device, judge.dtype
            for kind in judging.tags:
                with clock:
                    tagged = judge.tag(asked, kind, size, clock.report)
                columns |= {name: tagged[name] for name in tagged.columns}
    if judging.reward is not None:
        key = ("reward", judging.reward)
        with resident.using(key, lambda model=judging.reward: Rewarder(model), lambda _: None) as rewarder:
            device, dtype = rewarder.device, rewarder.dtype
            with clock:
                columns[REWARD] = pl.Series(rewarder.score(read, size, clock.report), nan_to_null=True)
    places = np.full(len(passed), -1)
    places[passed] = np.arange(len(read))
    at = pl.Series(places).replace(-1, None)
    ids = pl.read_parquet(checks, columns=["row_id"], glob=False)
    table = ids.with_columns(columns[name].gather(at).alias(name) for name in judging.adds)
    parquet.write(table.to_arrow(compat_level=pl.CompatLevel.oldest()), folder / FILE)
    return Judged(
        rows=len(passed),
        judged=len(read),
        unread={name: columns[name].null_count() for name in judging.adds if columns[name].null_count()},
        tags={kind: _counts(columns[column(kind)]) for kind in judging.tags},
        certainty={kind: _mean(columns[probability_column(kind)]) for kind in judging.tags},
        mean_reward=_mean(columns[REWARD]) if judging.reward else None,
        device=device,
        dtype=dtype,
        seconds=round(clock.seconds, 3),
        rows_per_second=round(len(read) / clock.seconds, 2) if clock.seconds else 0.0,
    )


class _Clock:
    """Measures the seconds of work, and reports progress over several passes over the rows."""

    def __init__(self, total: int, label: str) -> None:
        self.seconds, self._total, self._label = 0.0, total, label
        self._before = self._done = 0

    def __enter__(self) -> None:
        self._begun, self._before = time.perf_counter(), self._done

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begun

    def report(self, rows: int) -> None:
        self._done = self._before + rows
        emit(Event("judge", self._label, done=self._done, total=self._total))


def passing(rows: Path, checks: Path) -> tuple[np.ndarray, list[Row]]:
    """Which rows no check of single rows rejects, and these rows as they were checked.

    Args:
        rows: `rows.parquet` of a shard.
        checks: `checks.parquet` of `examine`.
    """
    flags = pl.read_parquet(checks, columns=["reasons", CONTENTS], glob=False)
    passed = (flags["reasons"].list.len() == 0).to_numpy()
    names = parquet.read_schema(rows).names
    table = parquet.read(rows)
    messages: Any = table["messages"]
    if (changed := np.flatnonzero(flags[CONTENTS].is_not_null())).size:
        messages = with_texts(messages, changed, flags[CONTENTS].gather(changed).to_list())
    tools = table[TOOLS].to_pylist() if TOOLS in names else [None] * len(passed)
    said = messages.to_pylist()
    return passed, [(said[row], tools[row]) for row in np.flatnonzero(passed)]


def _counts(labels: pl.Series) -> dict[str, int]:
    counted = labels.drop_nulls().alias("label").value_counts().sort(["count", "label"], descending=[True, False])
    return dict(counted.iter_rows())


def _mean(values: pl.Series) -> float | None:
    known = values.drop_nulls().to_numpy()
    return round(float(known.mean()), 4) if known.size else None
