"""Aliases: names such as `champion` that point at an adapter, move in one step, and remember where they pointed.

    aliases/<alias>/<number>.json        create-only; the highest number is what the alias points at

A move adds a file and changes none, so two movers at once both end in the history, and every adapter that an alias
ever pointed at can be gone back to.
"""

import json
import re
import uuid
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter, ValidationError

from tuner.artifacts.manifest import Sha256
from tuner.artifacts.names import Name, check_name, now
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError, InputError

CHAMPION = "champion"
"""The alias that is served, and that a regeneration compares with."""


@dataclass(frozen=True)
class Entry:
    """One move of an alias.

    Attributes:
        alias: Its name.
        number: Counts the moves, from 1.
        run: The run that made the adapter.
        adapter: The adapter's name in that run.
        fingerprint: Of its artifact of the stage `train`.
        at: When, ISO 8601 in UTC.
        why: In words.
        undoes: The number of the move that this one takes back, if it does.
    """

    alias: str
    number: int
    run: Name
    adapter: Name
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
        store: Where the alias and the adapter lie.
        alias: Made if there is none of that name.
        run: The run that made the adapter.
        adapter: Its name in that run.
        fingerprint: Of its artifact of the stage `train`.
        why: In words, for the history.
        undoes: The number of a move that this one takes back.

    Raises:
        InputError: If the name is none, or the adapter is not complete in the store.
    """
    check_name(alias, "alias")
    if problem := _missing(store, fingerprint):
        place = f"adapter {adapter} of run {run} ({fingerprint[:12]})"
        raise InputError(f"alias {alias}: {place} {problem} in {store.url}; run its recipe again")
    while True:
        number = max(_numbers(store, alias), default=0) + 1
        entry = Entry(alias, number, run, adapter, fingerprint, now(), why, undoes)
        # The mover tells apart two who say the same in the same second.
        text = json.dumps({**asdict(entry), "mover": uuid.uuid4().hex}, indent=2)
        if store.create(_path(alias, number), text.encode()):
            return entry


def current(store: Store, alias: str) -> Entry | None:
    """What an alias points at; None if there is no such alias.

    Raises:
        InputError: If its last move cannot be read; an earlier one is never taken for it.
    """
    numbers = _numbers(store, alias)
    return _read(store, alias, max(numbers)) if numbers else None


def history(store: Store, alias: str) -> list[Entry]:
    """Every move of an alias, oldest first.

    Raises:
        InputError: If one cannot be read.
    """
    return [_read(store, alias, number) for number in sorted(_numbers(store, alias))]


def names(store: Store) -> list[str]:
    """All aliases, sorted."""
    return sorted({path.split("/")[1] for path in store.listing("aliases") if _number(path)})


def rollback(store: Store, alias: str) -> Entry:
    """Points an alias at what it pointed to before; the next rollback goes back one further.

    Raises:
        InputError: If there is no such alias, or nothing before.
    """
    standing: list[Entry] = []
    for entry in history(store, alias):
        if entry.undoes:
            standing = [each for each in standing if each.number < entry.undoes]
        # A move that takes one back leaves what stood before it, unless it points elsewhere.
        if not (entry.undoes and standing and standing[-1].fingerprint == entry.fingerprint):
            standing.append(entry)
    if not standing:
        raise InputError(f"alias {alias}: there is none in {store.url}; there are: {_known(store)}")
    if len(standing) == 1:
        first = standing[0]
        raise InputError(f"alias {alias}: points at {first.run} {first.adapter}, and there is nothing before to go to")
    last, to = standing[-1], standing[-2]
    why = f"rolled back from {last.run} {last.adapter}"
    return point(store, alias, run=to.run, adapter=to.adapter, fingerprint=to.fingerprint, why=why, undoes=last.number)


def _missing(store: Store, fingerprint: str) -> str | None:
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
    """Of a move's file; None for any other."""
    match = re.fullmatch(r"aliases/[^/]+/(\d{6})\.json", path)
    return int(match[1]) if match else None


def _numbers(store: Store, alias: str) -> list[int]:
    found = store.listing(f"aliases/{check_name(alias, 'alias')}")
    return [number for number in map(_number, found) if number]


def _read(store: Store, alias: str, number: int) -> Entry:
    path = _path(alias, number)
    try:
        entry = _ENTRY.validate_json(store.read(path) or b"")
    except ValidationError:
        entry = None
    if entry is None or (entry.alias, entry.number) != (alias, number):
        raise InputError(f"{store.url}/{path} is not readable; remove it and point the alias anew: tuner promote")
    return entry


def _known(store: Store) -> str:
    return ", ".join(names(store)) or "none yet"
