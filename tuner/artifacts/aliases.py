"""Aliases: names such as `champion` that point at an adapter, move atomically and keep their history.

    aliases/<alias>/<number>.json        create-only; the highest number is what the alias points at

A move adds a file and changes none, so concurrent moves all end up in the history, and an alias can be rolled back to
every adapter that it ever pointed at.
"""

import json
import re
import uuid
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from tuner.artifacts.manifest import Sha256
from tuner.artifacts.names import AdapterLabel, Name, check_name, now
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError

CHAMPION = "champion"
"""The alias of the adapter in use, which a regeneration compares the challenger with."""


@dataclass(frozen=True)
class Entry:
    """One move of an alias.

    Attributes:
        alias: The alias's name.
        number: Number of the move, from 1.
        run: The run that made the adapter.
        adapter: The adapter's name in that run.
        fingerprint: Fingerprint of the adapter's `train` artifact.
        at: Time of the move, ISO 8601 in UTC.
        why: The reason, in words.
        undoes: The number of the move that this one rolls back, if any.
    """

    alias: str
    number: int
    run: Name
    adapter: AdapterLabel
    fingerprint: Sha256
    at: str
    why: str
    undoes: int | None


_ENTRY = TypeAdapter(Entry)


def point(
    store: Store, alias: str, *, run: str, adapter: str, fingerprint: str, why: str, undoes: int | None = None
) -> Entry:
    """Points an alias at an adapter.

    Args:
        store: The store of the alias and the adapter.
        alias: The alias's name; it is created if it does not exist.
        run: The run that made the adapter.
        adapter: The adapter's name in that run.
        fingerprint: Fingerprint of the adapter's `train` artifact.
        why: The reason, for the history.
        undoes: The number of the move that this one rolls back, if any.

    Raises:
        InputError: If the name is not valid, or the adapter is not complete in the store.
    """
    check_name(alias, "alias")
    if problem := _adapter_problem(store, fingerprint):
        subject = f"adapter {adapter} of run {run} ({fingerprint[:12]})"
        raise InputError(f"alias {alias}: {subject} {problem} in {store.url}; run its recipe again")
    while True:
        number = max(_numbers(store, alias), default=0) + 1
        entry = Entry(alias, number, run, adapter, fingerprint, now(), why, undoes)
        # The random `mover` distinguishes two processes that make the same move in the same second.
        text = json.dumps({**asdict(entry), "mover": uuid.uuid4().hex}, indent=2)
        if store.create(_path(alias, number), text.encode()):
            return entry


def current(store: Store, alias: str) -> Entry | None:
    """What an alias points at; None if there is no such alias.

    Raises:
        InputError: If its last move cannot be read; an earlier move is never used instead.
    """
    numbers = _numbers(store, alias)
    return _read(store, alias, max(numbers)) if numbers else None


def history(store: Store, alias: str) -> list[Entry]:
    """Every move of an alias, oldest first.

    Raises:
        InputError: If a move cannot be read.
    """
    return [_read(store, alias, number) for number in sorted(_numbers(store, alias))]


def names(store: Store) -> list[str]:
    """All aliases, sorted."""
    return sorted({path.split("/")[1] for path in store.listing("aliases") if _number(path)})


def rollback(store: Store, alias: str) -> Entry:
    """Points an alias at what it pointed to before; the next rollback goes back one further.

    Raises:
        InputError: If there is no such alias, or it has no earlier adapter.
    """
    moves: list[Entry] = []  # those not rolled back
    for entry in history(store, alias):
        if entry.undoes:
            moves = [move for move in moves if move.number < entry.undoes]
        # A rollback restores the move before the undone one and is no move itself, unless it points elsewhere.
        if not (entry.undoes and moves and moves[-1].fingerprint == entry.fingerprint):
            moves.append(entry)
    if not moves:
        raise InputError(f"alias {alias}: no such alias in {store.url}; existing aliases: {_known(store)}")
    if len(moves) == 1:
        first = moves[0]
        raise InputError(f"alias {alias}: points at {first.run} {first.adapter} and never pointed at another adapter")
    last, to = moves[-1], moves[-2]
    why = f"rolled back from {last.run} {last.adapter}"
    return point(store, alias, run=to.run, adapter=to.adapter, fingerprint=to.fingerprint, why=why, undoes=last.number)


def _adapter_problem(store: Store, fingerprint: str) -> str | None:
    try:
        manifest = store.find("train", fingerprint)
    except DamagedArtifactError as error:
        return f"is damaged ({error.problem})"
    if manifest is None:
        return "is not complete"
    problem = store.problem(manifest)
    return problem and f"is damaged ({problem})"


def _path(alias: str, number: int) -> str:
    return f"aliases/{alias}/{number:06d}.json"


def _number(path: str) -> int | None:
    """The number in the path of a move's file; None for any other path."""
    match = re.fullmatch(r"aliases/[^/]+/(\d{6})\.json", path)
    return int(match[1]) if match else None


def _numbers(store: Store, alias: str) -> list[int]:
    paths = store.listing(f"aliases/{check_name(alias, 'alias')}")
    return [number for number in map(_number, paths) if number]


def _read(store: Store, alias: str, number: int) -> Entry:
    path = _path(alias, number)
    try:
        entry = _ENTRY.validate_json(store.read(path) or b"")
    except ValidationError:
        entry = None
    if entry is None or (entry.alias, entry.number) != (alias, number):
        raise InputError(f"{store.url}/{path} is not readable; remove it and set the alias again with tuner promote")
    return entry


def _known(store: Store) -> str:
    return ", ".join(names(store)) or "none yet"
