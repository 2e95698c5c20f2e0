"""Curation of one file: reads it into shards, examines them in parallel, searches for duplicates and decides."""

import resource
import shutil
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from tuner.curation.checks.judging import Judging
from tuner.curation.curate import curate
from tuner.curation.duplicates.partitions import task_count
from tuner.curation.examine import examine
from tuner.curation.match import match
from tuner.curation.settings import Curation
from tuner.curation.texts import BESIDE, Shard
from tuner.errors import InputError
from tuner.export import card
from tuner.folders import atomic_folder, is_vacant
from tuner.models.settings import FIXED_DATE
from tuner.owndata import explain
from tuner.owndata.metrics import CuratedFile, FileCuration, SourceFile
from tuner.progress import Event, emit
from tuner.reading import shards
from tuner.reading.opening import open_sources
from tuner.reading.pieces import Survey, united
from tuner.reading.shards import Input, Shards, inputs_of
from tuner.rows import THOUGHTS, TOOLS

THREADS = 2
"""Shards examined in parallel; each is held in memory."""

_RESULT_COLUMNS = {"verdict", "reasons", "marks", "cluster", "duplicate_of", "similarity", BESIDE, TOOLS}
"""Columns that `curate` adds to the rows, and that of tools."""


def run(
    places: Path | Sequence[str | Path],
    curation: Curation,
    to: Path,
    threads: int = THREADS,
    columns: Mapping[str, str] | None = None,
) -> CuratedFile:
    """Curates a user's own rows.

    Args:
        places: Files, folders or data sets of the hub, as `opening.open_sources` takes them.
        curation: Which rows to keep.
        to: Gets `rows/` (every row that could be read, with its verdict), `kept/`, `README.md` (the dataset card),
            `reasons.md` and `settings.json` (see `explain`), `curation.json` (the returned metrics), and
            `set_aside.jsonl` if rows were set aside.
        threads: Shards examined in parallel.
        columns: What the columns hold, as for `kinds.chosen`; by default the rows are of one of `kinds.KINDS`.

    Raises:
        InputError: If a file, the settings or the folder cannot be used.
        StageError: If the counts do not add up.
    """
    if not is_vacant(to):
        raise InputError(f"{to}: is not empty; name another folder with --to, or remove it")
    sources, unread = open_sources([places] if isinstance(places, Path) else places)
    inputs = inputs_of(sources, columns)
    with atomic_folder(to) as folder:
        clock = _Clock()
        survey = united([(source.survey(), source.columns) for source in sources])
        file = f"{sources[0].name} and {len(sources) - 1:,} more" if len(sources) > 1 else sources[0].name
        if not survey.rows:
            raise InputError(f"{file}: holds no rows")
        result = _run(inputs, file, unread, survey, curation, folder, threads, clock)
        (folder / "README.md").write_text(card.of_own_data(Path(file), curation, result, folder), encoding="utf-8")
        explain.leave(folder, curation)
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
    inputs: Sequence[Input],
    file: str,
    unread: Sequence[str],
    survey: Survey,
    curation: Curation,
    folder: Path,
    threads: int,
    clock: _Clock,
) -> FileCuration:
    scratch = folder / "scratch"
    others, dropped = _other_columns(inputs, survey, curation, scratch)
    clock.lap("survey")
    reading = Shards(inputs, survey, others, scratch, folder / "set_aside.jsonl")
    examined = list(_examined(reading, curation, threads))
    if not examined:
        reason, rows = reading.reasons.most_common(1)[0]
        raise InputError(f"{file}: none of its {survey.rows:,} rows can be curated; of {rows:,}: {reason}")
    clock.lap("read and examine")
    if curation.judging is not None:
        examined = list(_judged(examined, curation.judging))
        clock.lap("judge")
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
        file=Path(file).name,
        files=tuple(Path(source.name).name for source, _ in inputs),
        unread_files=tuple(unread),
        bytes=sum(source.bytes for source, _ in inputs),
        kind=" or ".join(dict.fromkeys(kind.name(source.columns) for source, kind in inputs)),
        rows=survey.rows,
        ids=survey.ids,
        others=tuple(others),
        left=tuple(dropped),
        unread_keys=dict(reading.unread.most_common()),
        earlier_thoughts=reading.earlier_thoughts,
        cut_turns=reading.cut,
        undesired=reading.undesired,
    )
    return FileCuration(
        **dict(curated), source=about, set_aside=dict(reading.reasons.most_common()), match=tuple(matched)
    )


def _examined(reading: Shards, curation: Curation, threads: int) -> Iterator[Shard]:
    """Reads shard after shard while earlier ones are examined."""
    texts = [name for name, type_ in reading.others.items() if pa.types.is_string(type_)]
    texts += [THOUGHTS, TOOLS] if reading.tools else [THOUGHTS]
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[Shard]] = deque()
        for rows in reading.write():
            emit(Event("read", done=reading.seen, total=reading.survey.rows))
            while len(running) >= threads:
                yield running.popleft().result()
            running.append(pool.submit(_examine, rows, curation, texts))
        emit(Event("read", done=reading.seen, total=reading.survey.rows))
        while running:
            yield running.popleft().result()


def _judged(examined: Sequence[Shard], judging: Judging) -> Iterator[Shard]:
    from tuner.curation.judging.shard import FILE, judge_shard

    for shard in examined:
        folder = shard.rows.parent
        judge_shard(shard.rows, shard.checks, judging, FIXED_DATE, folder)
        yield replace(shard, judged=folder / FILE)


def _examine(rows: Path, curation: Curation, texts: Sequence[str]) -> Shard:
    examined = examine(rows, curation, rows.parent, texts)
    emit(Event("examine", figures={"rows": examined.rows, "rows/s": examined.rows_per_second}))
    return Shard(rows, rows.with_name("checks.parquet"), rows.with_name("signatures.parquet"))


def _other_columns(
    inputs: Sequence[Input], survey: Survey, curation: Curation, scratch: Path
) -> tuple[dict[str, pa.DataType], list[str]]:
    """The other columns that are kept, with their types, and those that are dropped."""
    used = {survey.ids, *(name for source, kind in inputs for name in (*kind.fields, *kind.optional))}
    reserved = used | _reserved_columns(curation, scratch)
    others = {name: type_ for name, type_ in survey.others.items() if name not in reserved}
    tagged = curation.judging is not None and "category" in curation.judging.tags
    if curation.balance is not None and curation.balance.by == "category" and "category" not in others and not tagged:
        raise InputError("curation.balance.by: the rows have no column 'category' of single values")
    present = dict.fromkeys([*(name for source, _ in inputs for name in source.columns), *sorted(survey.late)])
    return others, [name for name in present if name not in used and name not in others]


def _reserved_columns(curation: Curation, scratch: Path) -> set[str]:
    """The columns that curation adds to rows, found by examining an empty shard."""
    rows = scratch / "nothing" / "rows.parquet"
    shards.write_empty(rows)
    examine(rows, curation, rows.parent)
    return {
        *parquet.read_schema(rows).names,
        *parquet.read_schema(rows.with_name("checks.parquet")).names,
        *_RESULT_COLUMNS,
        *(curation.judging.adds if curation.judging else ()),
    }
