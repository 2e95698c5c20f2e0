"""The metrics of the stages that make preference pairs."""

from tuner.metrics import Computed, Finite, Metrics

GOOD_AGREEMENT = 0.65
"""The share of verdicts that GPT-4 repeats when the answers change places (arXiv 2306.05685, table 2)."""

FEWEST_PARAMETERS = 1_000_000_000
"""Below it a judge is called weak whatever it says: the default model calls a greeting a hard request."""


class Answered(Computed):
    """Candidates of one shard and model; tokens are those sampled up to the end of each.

    Attributes:
        instructions: Instructions that were answered.
        candidates: Answers.
        finishes: Of these, how many ended by themselves (`stop`), were cut off (`length`) or not drawn (`skipped`).
        engine: The engine.
        reproducible: What an answer is when it is drawn again, see `tuner.generation.engines`.
        served_model: The model's name on the servers; empty if there were none.
    """

    instructions: int
    candidates: int
    finishes: dict[str, int]
    engine: str
    reproducible: str
    served_model: str


class Comparisons(Metrics):
    """What a judge said of two candidates at a time, each time asked in both orders.

    Attributes:
        compared: Comparisons that it could read.
        agreed: Of these, in how many it preferred the same candidate in both orders; the others are ties.
        first: How often it preferred the one shown first, of twice as many answers as comparisons.
        unread: Comparisons that are longer than it reads.
        parameters: The judge's parameters.
    """

    compared: int
    agreed: int
    first: int
    unread: int
    parameters: int

    @property
    def agreement(self) -> float | None:
        """The share of comparisons in which both orders agree. Coins agree in half of them."""
        return self.agreed / self.compared if self.compared else None

    @property
    def first_share(self) -> float | None:
        """How often the one shown first was preferred; half of the times by a judge that looks at the answers."""
        return self.first / (2 * self.compared) if self.compared else None

    @property
    def is_weak(self) -> bool:
        """Whether little can be said for its verdicts: it is small, or changes its mind with the order."""
        return self.parameters < FEWEST_PARAMETERS or self.agreement is None or self.agreement < GOOD_AGREEMENT

    def __add__(self, other: "Comparisons") -> "Comparisons":
        return Comparisons(
            compared=self.compared + other.compared,
            agreed=self.agreed + other.agreed,
            first=self.first + other.first,
            unread=self.unread + other.unread,
            parameters=max(self.parameters, other.parameters),
        )


class Scored(Metrics):
    """The candidates of one shard after they were scored.

    Attributes:
        instructions: Instructions.
        candidates: Their candidates.
        unusable: Candidates that are in no pair, by `pairing.Unusable`.
        scored: Candidates with a score.
        mean_score: The mean of the scores; None if there is none.
        followed: By rule, how many candidates follow it and how many it applies to.
        comparisons: What the judge said; None if there was none.
        device: The device, such as `cuda`; empty where no model scored.
        dtype: The number format, likewise.
        seconds: How long it took, without loading.
        rows_per_second: Instructions divided by seconds.
    """

    instructions: int
    candidates: int
    unusable: dict[str, int]
    scored: int
    mean_score: Finite
    followed: dict[str, tuple[int, int]]
    comparisons: Comparisons | None
    device: str
    dtype: str
    seconds: float
    rows_per_second: float


class Margins(Metrics):
    """The differences of the scores of chosen and rejected answers, of the pairs on all sides.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation; None of a single pair.
        lowest: The lowest.
        median: The median.
        highest: The highest.
    """

    mean: float
    deviation: Finite
    lowest: float
    median: float
    highest: float


class Paired(Metrics):
    """Preference pairs.

    Attributes:
        instructions: Instructions on any side of the split.
        pairs: Pairs by side.
        left_out: Instructions without a pair, by `pairing.Reason`.
        margins: The margins of the pairs.
        chosen_longer: The share of pairs whose chosen answer has more characters than the rejected one: a half where
            the scorer does not look at length.
        chosen_characters: Mean characters of chosen answers.
        rejected_characters: Mean characters of rejected answers.
        origins: By what drew them, how many answers are chosen and how many rejected.
        comparisons: What the judge said of all candidates; None if there was none.
    """

    instructions: int
    pairs: dict[str, int]
    left_out: dict[str, int]
    margins: Margins
    chosen_longer: float
    chosen_characters: float
    rejected_characters: float
    origins: dict[str, tuple[int, int]]
    comparisons: Comparisons | None
