"""The metrics of `evaluate`. Intervals are 95 %; both ends are None where there is no interval."""

from tuner.metrics import Finite, Metrics


class Loss(Metrics):
    """A subject's held-out loss.

    Attributes:
        loss: Nats per completion token; None where training diverged.
        low: The low end of its interval.
        high: The high end.
        tokens: Completion tokens scored.
        rows: Held-out rows scored.
    """

    loss: Finite
    low: Finite
    high: Finite
    tokens: int
    rows: int


class Difference(Metrics):
    """The loss of one subject minus that of another, paired by row.

    Attributes:
        a: One subject.
        b: The other.
        difference: Nats per completion token.
        low: The low end of its interval.
        high: The high end.
        p: The two-sided p-value of the sign-flip test.
    """

    a: str
    b: str
    difference: Finite
    low: Finite
    high: Finite
    p: Finite


class Speed(Metrics):
    """A subject's timed generations.

    Attributes:
        subject: The subject.
        merged: Whether the adapter's weights were added to the student's.
        batch_size: Rows in the batch.
        new_tokens: Tokens generated per row.
        times: The number of timings.
        tokens_per_second: The mean over the timings.
        low: The low end of its interval.
        high: The high end.
    """

    subject: str
    merged: bool
    batch_size: int
    new_tokens: int
    times: int
    tokens_per_second: Finite
    low: Finite
    high: Finite


class Evaluated(Metrics):
    """Base and adapters on the same held-out rows.

    Attributes:
        subjects: The loss of each subject, by name.
        differences: Of each adapter to the base, and of each pair of adapters.
        speed: Of each subject, merged and not.
        quantization: The quantization each subject was scored in, such as `nf4`; None for unquantized weights.
        precision: The number format of the arithmetic, as in the recipe.
        seconds: The duration of the evaluation.
    """

    subjects: dict[str, Loss]
    differences: tuple[Difference, ...]
    speed: tuple[Speed, ...]
    quantization: dict[str, str | None]
    precision: str
    seconds: float
