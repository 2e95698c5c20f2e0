"""Metrics of the stages of curation. Counts by reason are in the order of the funnel, zeros included."""

from pydantic import Field

from tuner.metrics import Finite, Metrics


class Examined(Metrics):
    """One shard after the checks of single rows.

    Attributes:
        rows: All rows.
        passed: Rows that no check rejects.
        reasons: Rows that each reason rejects.
        seconds: How long it took.
        rows_per_second: Rows divided by seconds.
    """

    rows: int
    passed: int
    reasons: dict[str, int]
    seconds: float
    rows_per_second: float


class Matched(Metrics):
    """One partition of the search for near and semantic duplicates.

    Attributes:
        compared: Rows that were searched: those that pass, one for each text.
        candidates: Of these, the rows that share a band with another; all where vectors are compared.
        comparisons: Pairs of texts or vectors that were compared.
        edges: Near pairs found, enough to link each cluster.
        unfinished_buckets: Buckets in which not every pair was compared, so that near duplicates may remain.
        seconds: How long it took.
    """

    compared: int
    candidates: int
    comparisons: int
    edges: int
    unfinished_buckets: int
    seconds: float


class Clusters(Metrics):
    """Clusters of at least two rows linked as exact, near or semantic duplicates.

    Attributes:
        number: Number of clusters.
        rows: Rows in them.
        largest: Sizes of the largest clusters, by the row_id of their first row, the largest first.
        sizes: Number of clusters by size; the size is written in digits.
    """

    number: int
    rows: int
    largest: dict[str, int]
    sizes: dict[str, int]


class Neighbours(Metrics):
    """Distances of instructions to their nearest neighbour: 1 minus the Jaccard similarity of the sets of words.

    Attributes:
        median: Median distance, 0 to 1.
        mean: Mean distance, 0 to 1.
        of: Instructions that were compared pairwise.
    """

    median: float
    mean: float
    of: int


class NovelSum(Metrics):
    """NovelSum (arXiv 2502.17184) without its density factor; see `tuner.curation.diversity.novelsum`.

    Attributes:
        value: The mean novelty of an instruction.
        of: Instructions that were compared pairwise.
        on: What the distances are of: an embedder and the text that it read, such as `minilm of the instruction`, or
            `sets of words`.
    """

    value: float
    of: int
    on: str


class Diversity(Metrics):
    """The diversity of the kept instructions; None where there is too little to measure.

    Attributes:
        kept: Rows kept.
        sample: Instructions that were measured.
        distinct_1: Different words over all words, 0 to 1.
        distinct_2: The same for pairs of consecutive words.
        distinct_3: The same for three consecutive words.
        compression_ratio: Bytes over bytes after zlib.
        nearest_neighbour: Distances to the most similar instruction.
        novelsum: NovelSum; None for fewer than two instructions, and in artifacts that are older than it.
        openings: The most frequent first two words, with their shares of the sample, the most frequent first.
    """

    kept: int
    sample: int
    distinct_1: Finite
    distinct_2: Finite
    distinct_3: Finite
    compression_ratio: Finite
    nearest_neighbour: Neighbours | None
    novelsum: NovelSum | None = None
    openings: dict[str, float]


class Curated(Metrics):
    """All rows with their verdicts.

    Attributes:
        rows: All rows.
        kept: Rows that have no reason.
        rejected: The other rows.
        reasons: Rows that each reason rejects.
        marks: Rows for which each reason is only recorded.
        masked_columns: Rows in which something was masked in a column beside the messages, by its name.
        funnel: Rows by the first reason that rejects them.
        clusters: Clusters of duplicates.
        unfinished_buckets: As in `Matched`, for all partitions.
        diversity: Of the kept instructions.
    """

    rows: int
    kept: int
    rejected: int
    reasons: dict[str, int]
    marks: dict[str, int]
    masked_columns: dict[str, int] = Field(default_factory=dict)
    funnel: dict[str, int]
    clusters: Clusters
    unfinished_buckets: int
    diversity: Diversity
