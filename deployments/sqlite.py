"""The server's database on SQLite, every transaction of which takes its turn to write as it begins.

Prefect's transactions read before they write, and SQLite refuses such a one the lock, without waiting, if another has
written in between: the server answers 503. Its UI then says "Unknown error", a client waits for seconds and asks again.
A transaction that begins with the lock waits for its turn; Prefect has the ones that it found in trouble do so.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


class Immediate(AioSqliteConfiguration):
    """SQLite whose transactions begin with the lock."""

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = True
    ) -> AsyncGenerator[AsyncSessionTransaction, None]:
        """Begins a transaction as one that is to write, whatever its caller asks for."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            await session.connection()  # takes the lock
            # What reads in a session of its own meanwhile would inherit the mode, and wait for this very transaction.
            token = SQLITE_BEGIN_MODE.set(None)
            try:
                yield transaction
            finally:
                SQLITE_BEGIN_MODE.reset(token)


def begin_immediately() -> None:
    """Has the server of this process use it, if it is on SQLite; call it before the server is made."""
    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if get_dialect(url).name == "sqlite":
        MODELS_DEPENDENCIES["database_config"] = Immediate(connection_url=url)
