"""The database of a server on SQLite: who reads and then writes waits for its turn, and is not refused."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES, provide_database_interface
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings
from sqlalchemy.exc import OperationalError

from deployments.sqlite import Immediate, begin_immediately
from tests import rest
from tests.deployments.conftest import Server

WRITERS = 8


async def count_up(configuration: AioSqliteConfiguration) -> int:
    """Has writers at once read a number and write the next; returns the last, raises what the first refused one saw."""
    engine = await configuration.engine()

    async def step() -> None:
        async with await configuration.session(engine) as session, configuration.begin_transaction(session):
            number = await session.scalar(sa.text("select n from numbers"))
            await asyncio.sleep(0.05)
            await session.execute(sa.text("update numbers set n = :n"), {"n": number + 1})

    async with engine.begin() as connection:
        await connection.execute(sa.text("create table numbers (n)"))
        await connection.execute(sa.text("insert into numbers values (0)"))
    refused = await asyncio.gather(*(step() for _ in range(WRITERS)), return_exceptions=True)
    async with engine.connect() as connection:
        last = await connection.scalar(sa.text("select n from numbers"))
    await engine.dispose()
    for error in filter(None, refused):
        raise error
    return last


def test_prefects_own_transactions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="database is locked"):
        asyncio.run(count_up(AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path}/numbers.db")))


def test_these_wait_for_their_turn(tmp_path: Path) -> None:
    assert asyncio.run(count_up(Immediate(f"sqlite+aiosqlite:///{tmp_path}/numbers.db"))) == WRITERS


async def read_within(configuration: AioSqliteConfiguration) -> int:
    """Reads in a session of its own while a transaction that has written is open, as Prefect's server does."""
    engine = await configuration.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("create table numbers (n)"))
    async with await configuration.session(engine) as session, configuration.begin_transaction(session):
        await session.execute(sa.text("insert into numbers values (1)"))
        async with await configuration.session(engine) as other:
            seen = await other.scalar(sa.text("select count(*) from numbers"))
    await engine.dispose()
    return seen


def test_one_that_reads_meanwhile_does_not_wait_for_it(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/numbers.db"
    assert asyncio.run(asyncio.wait_for(read_within(Immediate(url)), 20)) == 0


@pytest.mark.parametrize(
    ("url", "immediate"), [("sqlite+aiosqlite:////tmp/p.db", True), ("postgresql+asyncpg://u@localhost/p", False)]
)
def test_only_a_server_on_sqlite_has_them(url: str, immediate: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MODELS_DEPENDENCIES:
        monkeypatch.setitem(MODELS_DEPENDENCIES, name, None)
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}):
        begin_immediately()
        assert isinstance(provide_database_interface().database_config, Immediate) is immediate


def test_a_server_refuses_none_of_many_flow_runs_made_at_once(guarded: Server) -> None:
    flow = rest.call(f"{guarded.url}/flows/", {"name": "made at once"}, guarded.auth)["id"]

    def make(number: int) -> str:
        return rest.call(f"{guarded.url}/flow_runs/", {"flow_id": flow, "name": str(number)}, guarded.auth)["id"]

    with ThreadPoolExecutor(WRITERS) as threads:
        assert len(set(threads.map(make, range(100)))) == 100
