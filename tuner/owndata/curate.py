"""Curation of one file: reads it into shards, examines them in parallel, searches for duplicates and decides."""

import resource
import shutil
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tuner.curation.curate import curate
from tuner.curation.duplicates.partitions import task_count
from tuner.curation.examine import examine
from tuner.curation.match import match
from tuner.curation.settings import Curation
from tuner.curation.texts import Shard
from tuner.errors import InputError
from tuner.export import card
from tuner.folders import atomic_folder, is_vacant
from tuner.owndata import shards
from tuner.owndata.kinds import Kind, recognise
from tuner.owndata.metrics import CuratedFile, FileCuration, SourceFile
from tuner.owndata.opening import Source, open_source
from tuner.owndata.pieces import Survey
from tuner.owndata.shards import Shards
from tuner.progress import Event, emit

THREADS = 2
"""Shards examined in parallel; each is held in memory."""

_RESULT_COLUMNS = {"verdict", "reasons", "marks", "cluster", "duplicate_of", "similarity"}
"""Columns that `curate` adds to the rows."""


def run(file: Path, curation: Curation, to: Path, threads: int = THREADS) -> CuratedFile:
    """Curates a file of a user's own rows.

    Args:
        file: Parquet, JSONL, or a JSON array, whose rows are of one of `kinds.KINDS`.
        curation: Which rows to keep.
        to: Gets `rows/` (every row that could be read, with its verdict), `kept/`, `README.md` (the dataset card),
            `curation.json` (the returned metrics), and `set_aside.jsonl` if rows were set aside.
        threads: Shards examined in parallel.

    Raises:
        InputError: If the file, the settings or the folder cannot be used.
        StageError: If the counts do not add up.
    """
    if not is_vacant(to):
        raise InputError(f"{to}: is not empty; name another folder with --to, or remove it")
    source = open_source(file)
    kind = recognise(source.columns, str(file))
    with atomic_folder(to) as folder:
        clock = _Clock()
        survey = source.survey()
        if not survey.rows:
            raise InputError(f"{file}: holds no rows")
        result = _run(source, kind, survey, curation, folder, threads, clock)
        (folder / "README.md").write_text(card.of_own_data(file, curation, result, folder), encoding="utf-8")
        clock.lap("card")
        metrics = CuratedFile(
            **dict(result),
            seconds=clock.seconds,
            rows_per_second=round(result.source.rows / clock.seconds["all"], 1),
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )
        (folder / "curation.json").write_text(metrics.model_dump_json(indent=2), encoding="utf-8")
    return metrics


class _Clock:
    """Measures the seconds of each step."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds = {**self.seconds, step: round(now - self._last, 3), "all": round(now - self._begun, 3)}
        self._last = now


def _run(
    source: Source, kind: Kind, survey: Survey, curation: Curation, folder: Path, threads: int, clock: _Clock
) -> FileCuration:
    scratch = folder / "scratch"
    others, dropped = _other_columns(source, kind, survey, curation, scratch)
    clock.lap("survey")
    reading = Shards(source, kind, survey, others, scratch, folder / "set_aside.jsonl")
    examined = list(_examined(reading, curation, threads))
    if not examined:
        reason, rows = reading.reasons.most_common(1)[0]
        raise InputError(f"{source.path}: none of its {survey.rows:,} rows can be curated; of {rows:,}: {reason}")
    clock.lap("read and examine")
    matched = []
    number = task_count(reading.rows, curation.duplicates)
    for part in range(number):
        matched.append(match(examined, curation.duplicates, part, reading.rows, scratch / f"part-{part}"))
        emit(Event("match", done=part + 1, total=number))
    clock.lap("match")
    edges = [scratch / f"part-{part}" / "edges.parquet" for part in range(number)]
    unfinished = sum(metrics.unfinished_buckets for metrics in matched)
    curated = curate(examined, edges, unfinished, curation, folder)
    shutil.rmtree(scratch)
    clock.lap("curate")
    about = SourceFile(
        file=source.path.name,
        bytes=source.path.stat().st_size,
        kind=kind.name,
        rows=survey.rows,
        ids=survey.ids,
        others=tuple(others),
        left=tuple(dropped),
    )
    return FileCuration(
        **dict(curated), source=about, set_aside=dict(reading.reasons.most_common()), match=tuple(matched)
    )


def _examined(reading: Shards, curation: Curation, threads: int) -> Iterator[Shard]:
    """Reads shard after shard while earlier ones are examined."""
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Shard]] = deque()
        for rows in reading.write():
            emit(Event("read", done=reading.seen, total=reading.survey.rows))
            while len(running) >= threads:
                yield running.popleft().result()
            running.append(pool.submit(_examine, rows, curation))
        emit(Event("read", done=reading.seen, total=reading.survey.rows))
        while running:
            yield running.popleft().result()


def _examine(rows: Path, curation: Curation) -> Shard:
    examined = examine(rows, curation, rows.parent)
    emit(Event("examine", figures={"rows": examined.rows, "rows/s": examined.rows_per_second}))
    return Shard(rows, rows.with_name("checks.parquet"), rows.with_name("signatures.parquet"))


def _other_columns(
    source: Source, kind: Kind, survey: Survey, curation: Curation, scratch: Path
) -> tuple[dict[str, pa.DataType], list[str]]:
    """The other columns that are kept, with their types, and those that are dropped."""
    used = {*kind.fields, *kind.optional, survey.ids}
    reserved = used | _reserved_columns(curation, scratch)
    others = {name: type_ for name, type_ in survey.others.items() if name not in reserved}
    if curation.balance is not None and curation.balance.by == "category" and "category" not in others:
        raise InputError(f"curation.balance.by: {source.path} has no column 'category' of single values")
    return others, [name for name in source.columns if name not in used and name not in others]


def _reserved_columns(curation: Curation, scratch: Path) -> set[str]:
    """The columns that curation adds to rows, found by examining an empty shard."""
    rows = scratch / "nothing" / "rows.parquet"
    shards.write_empty(rows)
    examine(rows, curation, rows.parent)
    return {
        *parquet.read_schema(rows).names,
        *parquet.read_schema(rows.with_name("checks.parquet")).names,
        *_RESULT_COLUMNS,
    }
