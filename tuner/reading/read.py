"""Reads the rows or texts of a recipe's source into files in the layout of generated rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tuner.artifacts import parquet
from tuner.errors import InputError, StageError
from tuner.progress import Event, emit
from tuner.reading import contents, texts
from tuner.reading.metrics import Read
from tuner.reading.opening import open_sources
from tuner.reading.pieces import Piece, united
from tuner.reading.settings import ROWS_IN_FILE, Contents, Existing, Hub, Rows, Texts, file_name
from tuner.reading.shards import Shards, inputs_of
from tuner.rows import SCHEMA

TEXTS = "texts.parquet"
"""The file of texts, in the order in which they are asked about."""

SET_ASIDE = "set_aside.jsonl"


def read(name: str, source: Existing, rows: int, seed: int, folder: Path) -> Read:
    """Reads a source.

    Args:
        name: Its name in the recipe, which every row's id begins with.
        source: The source, with its contents pinned.
        rows: The number of rows wanted, at most those that there are; chosen at random if fewer.
        seed: Chooses them, and the order of texts.
        folder: Gets `rows/`, or `texts.parquet`; and `set_aside.jsonl` if rows cannot be read.

    Raises:
        InputError: If it cannot be read.
        StageError: If it has changed since the recipe was read.
    """
    pinned = source.contents
    assert pinned is not None
    if not isinstance(source, Hub) and contents.digest(source) != pinned.sha256:
        raise StageError(f"{', '.join(source.places())}: has changed since the run began; run the recipe again")
    if isinstance(source, Texts):
        return _read_texts(source, seed, folder)
    assert isinstance(source, Rows)
    return _read_rows(name, source, pinned, rows, seed, folder)


def _read_texts(source: Texts, seed: int, folder: Path) -> Read:
    every = list(texts.every_piece(source))
    found = [piece for piece in every if texts.is_long(piece, source)]
    short = len(every) - len(found)
    order = np.random.Generator(np.random.Philox(key=[seed, 0])).permutation(len(found))
    table = pa.table(
        {
            "origin": pa.array([found[place].origin for place in order], pa.string()),
            "text": pa.array([found[place].text for place in order], pa.string()),
        }
    )
    parquet.write(table, folder / TEXTS)
    set_aside = {f"fewer than {source.words[0]} words": short} if short else {}
    return Read(rows=len(found), kind="text", set_aside=set_aside)


def _read_rows(name: str, source: Rows, pinned: Contents, rows: int, seed: int, folder: Path) -> Read:
    opened, unread = open_sources(source.places())
    inputs = inputs_of(opened, source.columns)
    survey = united([(each.survey(), each.columns) for each in opened])
    # Columns of these names hold something else in rows of other sources.
    used = {survey.ids, *(field for _, kind in inputs for field in (*kind.fields, *kind.optional))}
    named = {*SCHEMA.names, *used} - {"category"}
    others = {each: type_ for each, type_ in survey.others.items() if each not in named}
    if "category" in others:
        others["category"] = pa.string()
    reading = Shards(inputs, survey, others, folder, folder / SET_ASIDE)
    positions = _chosen(pinned.rows, rows, seed)
    made = 0
    for number, table in enumerate(_files(reading, positions)):
        parquet.write(_laid_out(table, name, number), folder / file_name(number))
        made += table.num_rows
    if not made:
        reason, count = reading.reasons.most_common(1)[0]
        raise InputError(f"{', '.join(source.places())}: none of its rows can be read; of {count:,}: {reason}")
    present = dict.fromkeys(column for each in opened for column in each.columns)
    return Read(
        rows=made,
        kind=" or ".join(dict.fromkeys(kind.name(each.columns) for each, kind in inputs)),
        ids=survey.ids,
        others=tuple(others),
        left=tuple(each for each in present if each not in used and each not in others),
        unread_files=tuple(unread),
        unread_keys=dict(reading.unread.most_common()),
        earlier_thoughts=reading.earlier_thoughts,
        cut_turns=reading.cut,
        undesired=reading.undesired,
        set_aside=dict(reading.reasons.most_common()),
    )


def _chosen(count: int, wanted: int, seed: int) -> NDArray[np.int64]:
    """The positions of the wanted rows in order, shape (wanted,)."""
    if wanted >= count:
        return np.arange(count)
    generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
    return np.sort(generator.choice(count, wanted, replace=False))


def _files(reading: Shards, positions: NDArray[np.int64]) -> Iterator[pa.Table]:
    """The rows at these positions, a table for each `ROWS_IN_FILE` of them; fewer rows where some are set aside."""
    pending: list[pa.Table] = []
    begin = taken = 0
    for input_, piece in reading.pieces():
        end = begin + len(piece.records)
        until = int(np.searchsorted(positions, end))
        here = positions[taken:until] - begin
        begin = end
        while here.size:
            fitting = here[: ROWS_IN_FILE - taken % ROWS_IN_FILE]
            here = here[fitting.size :]
            pending.append(reading.table(_only(piece, fitting), input_))
            taken += fitting.size
            if taken % ROWS_IN_FILE == 0:
                yield pa.concat_tables(pending)
                pending = []
        emit(Event("read", done=taken, total=len(positions)))
    if pending:
        yield pa.concat_tables(pending)


def _only(piece: Piece, places: NDArray[np.int64]) -> Piece:
    if len(places) == len(piece.records):
        return piece
    chosen_ = places.tolist()
    return replace(
        piece,
        numbers=[piece.numbers[place] for place in chosen_],
        records=[piece.records[place] for place in chosen_],
        others=piece.others.take(pa.array(chosen_, pa.int64())),
    )


def _laid_out(table: pa.Table, name: str, number: int) -> pa.Table:
    """Rows in the layout of `SCHEMA`, with their other columns behind."""
    count = table.num_rows
    known = {
        "row_id": pa.array([f"{name}:{each}" for each in table["row_id"].to_pylist()], pa.string()),
        "shard": pa.array([number] * count, pa.int32()),
        "index": pa.array(range(count), pa.int32()),
        "source": pa.array([name] * count, pa.string()),
        "origin": table["row_id"],
        "outcome": pa.array(["complete"] * count, pa.string()),
    }
    columns = {
        field.name: known.get(
            field.name, table[field.name] if field.name in table.column_names else pa.nulls(count, field.type)
        )
        for field in SCHEMA
    }
    others = {column: table[column] for column in table.column_names if column not in columns}
    return pa.table({**columns, **others})


def rows_of(files: Sequence[Path], begin: int, rows: int) -> list[dict[str, Any]]:
    """Some rows of an artifact.

    Args:
        files: Its files of rows, in order.
        begin: The first.
        rows: How many; fewer if there are no more.
    """
    tables = [parquet.read(path).select(SCHEMA.names) for path in files]
    return pa.concat_tables(tables).slice(begin, rows).to_pylist()
