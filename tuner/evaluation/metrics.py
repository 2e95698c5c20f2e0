"""What `evaluate` measures. Intervals are of 95 %; both ends are None where there is none."""

from tuner.metrics import Finite, Metrics


class Loss(Metrics):
    """A subject's held-out loss.

    Attributes:
        loss: Nats per completion token; None where training diverged.
        low: The low end of its interval.
        high: The high end.
        tokens: Completion tokens behind it.
        rows: Held-out rows behind it.
    """

    loss: Finite
    low: Finite
    high: Finite
    tokens: int
    rows: int


class Difference(Metrics):
    """The loss of one subject minus that of another, paired by row.

    Attributes:
        a: The one subject.
        b: The other.
        difference: Nats per completion token.
        low: The low end of its interval.
        high: The high end.
        p: Two-sided, of the sign-flip test.
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
        subject: Whose.
        merged: Whether the adapter's weights were added to the student's.
        batch_size: Rows generated at once.
        new_tokens: Tokens generated of each row.
        times: How often it was timed.
        tokens_per_second: The mean of the times.
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
        subjects: By name.
        differences: Of each adapter to the base, and of each pair of adapters.
        speed: Of each subject, merged and not.
        quantization: In what each subject was scored, such as `nf4`; None for weights as they are.
        precision: The number format of the arithmetic, as in the recipe.
        seconds: How long it all took.
    """

    subjects: dict[str, Loss]
    differences: tuple[Difference, ...]
    speed: tuple[Speed, ...]
    quantization: dict[str, str | None]
    precision: str
    seconds: float
