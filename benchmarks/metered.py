"""A server with `/v1/completions` that computes nothing: it answers after as long as its tokens would take.

So many requests are continued at once, each with so many tokens a second; the others wait. It costs so little itself
that a client's own speed can be measured against it.

    python -m benchmarks.metered SLOTS TOKENS_PER_SECOND

It prints its port and runs until it is ended.
"""

import asyncio
import json
import sys

TEXT = "A row of plain words that stand for an answer. " * 20
TOKENS = 200
"""Tokens of every answer, as they are counted: about half of a row of the quickstart."""


class Metered:
    """The server.

    Args:
        slots: Requests that are continued at once.
        rate: Tokens a second of each.
    """

    def __init__(self, slots: int, rate: float) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._seconds = TOKENS / rate

    async def serve(self) -> None:
        """Serves until it is ended."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                size = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
                said = await self._said(json.loads(await reader.readexactly(size)) if size else None)
                body = json.dumps(said).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                    + body
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _said(self, asked: dict[str, int] | None) -> dict[str, object]:
        if asked is None:
            return {"data": [{"id": "metered"}]}
        if asked["max_tokens"] > 1:
            async with self._slots:
                await asyncio.sleep(self._seconds)
        choice = {"index": 0, "text": TEXT, "finish_reason": "stop"}
        return {"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": TOKENS}}


async def _main(slots: str, rate: str) -> None:
    await Metered(int(slots), float(rate)).serve()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
