"""The server's SQLite configuration, in which every transaction takes the write lock when it begins.

Prefect's transactions read before they write, and if another connection has written in between, SQLite refuses the lock
without waiting: the server answers 503, its UI shows "Unknown error", and clients retry after seconds. A transaction
that begins with the lock waits for it instead; Prefect does this for some of its transactions, here all do.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class Immediate(AioSqliteConfiguration):
    """SQLite with `BEGIN IMMEDIATE` for all transactions."""

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = True
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """Begins a write transaction, whatever the caller requests."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # takes the lock
            # A session opened meanwhile would inherit the mode, and wait for this very transaction.
            token = SQLITE_BEGIN_MODE.set(None)
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(token)


def begin_immediately() -> None:
    """Makes this process's server use `Immediate` if it is on SQLite; call it before creating the server."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name == "sqlite":
        MODELS_DEPENDENCIES["database_config"] = Immediate(connection_url=url)
