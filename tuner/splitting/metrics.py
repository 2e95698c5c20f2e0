"""What `split` measures."""

from pydantic import Field

from tuner.metrics import Metrics


class Overlap(Metrics):
    """The result of the leak check of a split.

    Attributes:
        exact_overlap: Validation rows whose normalised instruction equals a training row's.
        near_overlap: Validation rows whose n-gram similarity to a training row reaches `similarity`.
        similarity: The Jaccard similarity from which two rows are near, 0 to 1.
        ngram: Words in an n-gram.
        template_ngrams: N-grams of templates, which weigh nothing.
        pairs_compared: Pairs of rows that were compared; all others share too few n-grams to be near.
        example: The row_ids of one leaking pair (validation, training), for error messages; not stored.
    """

    exact_overlap: int
    near_overlap: int
    similarity: float
    ngram: int
    template_ngrams: int
    pairs_compared: int
    example: tuple[str, str] | None = Field(default=None, exclude=True)


class SplitMetrics(Metrics):
    """The sizes of a split, and its leak check.

    Attributes:
        train: Rows to train on.
        validation: Rows held out.
        left_out: Rows on neither side.
        former_rows: Rows that kept their side from a former split.
        clusters: Clusters of two or more rows with near instructions.
        clustered_rows: Rows in these clusters.
        largest_cluster: Rows in the largest cluster.
        check: The leak check of the written files.
    """

    train: int
    validation: int
    left_out: int
    former_rows: int
    clusters: int
    clustered_rows: int
    largest_cluster: int
    check: Overlap
