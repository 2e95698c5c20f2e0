"""The servers of an endpoint: which gets the next request, and which are left out for a while."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.generation.engines.wire import Form

PATIENCE_SECONDS = 120.0
"""How long no server may complete anything before a shard is given up, for its task to be retried."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds for which a server is left out after its first failure, twice as long after each further one; at most."""


@dataclass(eq=False)
class Replica:
    """One server.

    Attributes:
        url: Its base URL.
        model: The model's name there; empty until it was asked.
        form: How it takes requests; None until it was tried.
        in_flight: Requests that it has not answered.
        failures: Failures since it last completed a request.
        failed: When the last of them was.
        until: When it may be asked again.
        broken: Whether it has failed at a seeded request with status 500 since it last completed a request.
    """

    url: str
    model: str = ""
    form: Form | None = None
    in_flight: int = 0
    failures: int = 0
    failed: float = float("-inf")
    until: float = float("-inf")
    broken: bool = False


class Replicas:
    """Balances requests by what is in flight.

    Times are values of one clock, in seconds.

    Args:
        urls: The servers' base URLs.

    Attributes:
        all: The servers.
        reason: Why the last failure was.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.all = [Replica(url) for url in urls]
        self.reason = ""
        self._silent: float | None = None

    def next(self, now: float) -> Replica | None:
        """The server with the fewest requests in flight; None if all are left out.

        One that has failed is tried with a single request.
        """
        ready = [each for each in self.all if each.until <= now and not (each.failures and each.in_flight)]
        return min(ready, key=lambda each: each.in_flight, default=None)

    def failed(self, replica: Replica, reason: str, begun: float, now: float, pause: float | None = None) -> None:
        """Leaves a server out for a while.

        Args:
            replica: The server.
            reason: What happened.
            begun: When the request was sent: of many in flight, only the first failure counts.
            now: The time.
            pause: How long, if the server has said so.
        """
        self.reason = reason
        self._silent = now if self._silent is None else self._silent
        if begun < replica.failed:
            return
        growing = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(replica.failures, 16))
        replica.failures += 1
        replica.failed = now
        replica.until = now + (growing if pause is None else min(pause, PATIENCE_SECONDS))

    def succeeded(self, replica: Replica) -> None:
        """Takes a server in again."""
        replica.failures, replica.until, replica.broken = 0, float("-inf"), False
        self._silent = None

    def are_lost(self, now: float) -> bool:
        """Whether to give up: nothing is in flight, and nothing was completed for longer than the patience."""
        silent = self._silent is not None and now - self._silent > PATIENCE_SECONDS
        return silent and not any(each.in_flight for each in self.all)

    def renew(self) -> None:
        """Begins the patience anew, and tries every server again at once."""
        self._silent = None
        for each in self.all:
            each.until = float("-inf")
