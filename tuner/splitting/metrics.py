"""What `split` measures."""

from pydantic import Field

from tuner.metrics import Metrics
from tuner.splitting.sides import TRAIN, TUNING, VALIDATION


class Overlap(Metrics):
    """The result of the leak check of two sides of a split: the rows of one that are equal or near to one of the other.

    Attributes:
        exact_overlap: Rows whose normalised instruction equals that of a row of the other side.
        near_overlap: Rows whose n-gram similarity to a row of the other side reaches `similarity`.
        similarity: The Jaccard similarity from which two rows are near, 0 to 1.
        ngram: Words in an n-gram.
        template_ngrams: N-grams of templates, which weigh nothing.
        pairs_compared: Pairs of rows that were compared; all others share too few n-grams to be near.
        example: The row_ids of one leaking pair (row, row of the other side), for error messages; not stored.
    """

    exact_overlap: int
    near_overlap: int
    similarity: float
    ngram: int
    template_ngrams: int
    pairs_compared: int
    example: tuple[str, str] | None = Field(default=None, exclude=True)


class TuningChecks(Metrics):
    """The leak checks of the tuning side.

    Attributes:
        training: Tuning rows that are equal or near to a training row.
        validation: Validation rows that are equal or near to a tuning row.
    """

    training: Overlap
    validation: Overlap


class SplitMetrics(Metrics):
    """The sizes of a split, and its leak checks.

    Attributes:
        train: Rows to train on.
        tuning: Rows to choose by; left out of the data where there is no such side, as is `tuning_checks`.
        validation: Rows held out for the verdict.
        left_out: Rows on no side.
        former_rows: Rows that kept their side from a former split.
        clusters: Clusters of two or more rows with near instructions.
        clustered_rows: Rows in these clusters.
        largest_cluster: Rows in the largest cluster.
        check: The leak check of the written files: validation rows against training rows.
        tuning_checks: The same of the tuning side against each of these.
    """

    train: int
    tuning: int = Field(default=0, exclude_if=lambda rows: not rows)
    validation: int
    left_out: int
    former_rows: int
    clusters: int
    clustered_rows: int
    largest_cluster: int
    check: Overlap
    tuning_checks: TuningChecks | None = Field(default=None, exclude_if=lambda checks: checks is None)

    @property
    def checks(self) -> list[tuple[int, int, Overlap]]:
        """The leak check of every two sides: the side whose rows were looked for, the other side, and the result."""
        checks = [(VALIDATION, TRAIN, self.check)]
        if self.tuning_checks:
            checks.append((TUNING, TRAIN, self.tuning_checks.training))
            checks.append((VALIDATION, TUNING, self.tuning_checks.validation))
        return checks
