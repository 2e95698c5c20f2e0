"""How many requests are in flight at once: more while the throughput grows, half as many after an overload."""

WINDOW_SECONDS = 2.0
"""The least time over which a throughput is measured, and between two halvings: one overload refuses many requests."""

GAIN = 1.05
"""The growth of the throughput that shows that more requests in flight were of use, beyond the noise of a window."""


class Limit:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), with the throughput as the sign to increase.

    Args:
        start: The requests at first, and the step of an increase.
        most: The maximum.

    Attributes:
        allowed: Requests that may be in flight now.
    """

    def __init__(self, start: int, most: int) -> None:
        self.allowed = min(start, most)
        self._step, self._most = self.allowed, most
        self._best = 0.0
        self._halved = float("-inf")
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Begins a window of measurement.

        Args:
            now: A clock's value in seconds, as in all methods.
        """
        self._began, self._tokens, self._done = now, 0, 0

    def done(self, tokens: int, waiting: bool, now: float) -> None:
        """Counts a completion, and allows more requests at the end of a window with a higher throughput.

        Args:
            tokens: Its tokens.
            waiting: Whether more requests wait: without them the limit is not reached, and nothing is measured.
            now: The time.
        """
        if not waiting:
            self.begin(now)
            return
        self._tokens += tokens
        self._done += 1
        seconds = now - self._began
        if seconds < WINDOW_SECONDS or self._done < self.allowed:
            return
        rate = self._tokens / seconds
        if rate > GAIN * self._best:
            self._best = rate
            self.allowed = min(self._most, self.allowed + self._step)
        self.begin(now)

    def overloaded(self, now: float) -> None:
        """Halves the limit, after a refusal or a time-out."""
        if now - self._halved < WINDOW_SECONDS:
            return
        self._halved = now
        self.allowed = max(1, self.allowed // 2)
        self._best = 0.0
        self.begin(now)
