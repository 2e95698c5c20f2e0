"""What the stages of curation measure. Reasons stand by name, in the order of the funnel, zeros included."""

from tuner.metrics import Finite, Metrics


class Examined(Metrics):
    """One shard, each row looked at alone.

    Attributes:
        rows: Rows that came in.
        passed: Rows that nothing rejects so far.
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
        compared: Rows that took part: those that pass, one of each text.
        candidates: Of these, the rows that share a band with another; all where vectors are compared.
        comparisons: Pairs of texts or vectors that were compared.
        edges: Pairs that were found to be near, as far as they link clusters.
        unfinished_buckets: Buckets in which not every pair was compared, so that near duplicates may be left.
        seconds: How long it took.
    """

    compared: int
    candidates: int
    comparisons: int
    edges: int
    unfinished_buckets: int
    seconds: float


class Clusters(Metrics):
    """Rows that hang together as duplicates of whatever kind, in clusters of two rows and more.

    Attributes:
        number: Clusters.
        rows: Rows in them.
        largest: Rows of the largest clusters, by the row_id of their first row, the largest first.
        sizes: Clusters by their number of rows, which is written in digits.
    """

    number: int
    rows: int
    largest: dict[str, int]
    sizes: dict[str, int]


class Neighbours(Metrics):
    """Distances of instructions to the one that is nearest: 1 minus the Jaccard similarity of the sets of words.

    Attributes:
        median: Of the distances, 0 to 1.
        mean: Likewise.
        of: Instructions that were compared each with each.
    """

    median: float
    mean: float
    of: int


class Diversity(Metrics):
    """How unlike each other the kept instructions are; None where there is too little to measure.

    Attributes:
        kept: Rows kept.
        sample: Instructions that were looked at.
        distinct_1: Different words over all words, 0 to 1.
        distinct_2: Likewise, of pairs of words.
        distinct_3: Likewise, of three words in a row.
        compression_ratio: Bytes over bytes after zlib.
        nearest_neighbour: Distances to the instruction most alike.
        openings: The most frequent first two words, with their shares of the sample, the most frequent first.
    """

    kept: int
    sample: int
    distinct_1: Finite
    distinct_2: Finite
    distinct_3: Finite
    compression_ratio: Finite
    nearest_neighbour: Neighbours | None
    openings: dict[str, float]


class Curated(Metrics):
    """All rows with their verdicts.

    Attributes:
        rows: Rows that came in.
        kept: Rows that nothing rejects.
        rejected: The others.
        reasons: Rows that each reason rejects.
        marks: Rows that each reason marks only.
        funnel: Rows by the first reason that rejects them.
        clusters: Of duplicates.
        unfinished_buckets: As of `Matched`, of all partitions.
        diversity: Of what was kept.
    """

    rows: int
    kept: int
    rejected: int
    reasons: dict[str, int]
    marks: dict[str, int]
    funnel: dict[str, int]
    clusters: Clusters
    unfinished_buckets: int
    diversity: Diversity
