"""What `split` measures."""

from pydantic import Field

from tuner.metrics import Metrics


class Overlap(Metrics):
    """What two sides have in common.

    Attributes:
        exact_overlap: Validation rows whose normalised instruction is a training row's too.
        near_overlap: Validation rows whose n-grams overlap with a training row's by the similarity or more.
        similarity: The Jaccard similarity that counts as near, 0 to 1.
        ngram: Words in an n-gram.
        pairs_compared: Pairs of rows whose shared n-grams were counted; all others share too few to be near.
        example: The row_ids of a pair that leaks, of validation and of training; said at once and not kept.
    """

    exact_overlap: int
    near_overlap: int
    similarity: float
    ngram: int
    pairs_compared: int
    example: tuple[str, str] | None = Field(default=None, exclude=True)


class Divided(Metrics):
    """The two sides.

    Attributes:
        train: Rows to train on.
        validation: Rows held out.
        left_out: Rows on neither side.
        former_rows: Rows that kept the side of a former split.
        clusters: Clusters of more than one row whose instructions are near.
        clustered_rows: Rows in these.
        largest_cluster: Rows in the largest cluster.
        check: What was found on both sides when the files were read back.
    """

    train: int
    validation: int
    left_out: int
    former_rows: int
    clusters: int
    clustered_rows: int
    largest_cluster: int
    check: Overlap
