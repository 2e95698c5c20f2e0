"""The metrics of `evaluate`. Intervals are 95 %; both ends are None where there is no interval."""

from pydantic import Field

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


class Preferred(Metrics):
    """How a subject prefers the better answers of held-out preference pairs.

    Attributes:
        pairs: Pairs.
        margin: By how many nats the chosen answer has become likelier than the rejected one, against the base model:
            the mean over the pairs.
        margin_low: The low end of its interval.
        margin_high: The high end.
        accuracy: The share of pairs where it has become likelier, 0 to 1.
        accuracy_low: The low end of its interval (Wilson's).
        accuracy_high: The high end.
    """

    pairs: int
    margin: Finite
    margin_low: Finite
    margin_high: Finite
    accuracy: float
    accuracy_low: float
    accuracy_high: float


class Divergence(Metrics):
    """How far an adapter's predictions have moved from those of the model that its training began with.

    Attributes:
        reference: The adapter that it went on from; `base` if there is none.
        kl: The Kullback-Leibler divergence from it on the held-out tokens, in nats per token.
        low: The low end of its interval.
        high: The high end.
    """

    reference: str
    kl: Finite
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
        preferences: Of each subject, if there are held-out preference pairs.
        divergences: Of each adapter that was trained on preference pairs; a fully fine-tuned student has none, since
            its reference is not in memory beside it.
        lengths: The mean tokens of each subject's answers to the sampled instructions, if there are preference pairs.
    """

    subjects: dict[str, Loss]
    differences: tuple[Difference, ...]
    speed: tuple[Speed, ...]
    quantization: dict[str, str | None]
    precision: str
    seconds: float
    preferences: dict[str, Preferred] = Field(default_factory=dict[str, Preferred])
    divergences: dict[str, Divergence] = Field(default_factory=dict[str, Divergence])
    lengths: dict[str, float] = Field(default_factory=dict[str, float])
