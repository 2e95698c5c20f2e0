"""The check `duplicates`: of rows that say the same, the best are kept."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tuner.curation.check import Check
from tuner.section import FirstReadBy, Section

Text = Literal["instruction", "response", "both"]
EmbedderName = Literal["minilm"]


class Near(Section):
    """Near duplicates: rows whose word n-grams overlap.

    Attributes:
        on: Which texts are compared: `instruction`, `response`, or `both` as one text.
        ngram: Words in a shingle; a shorter text is one shingle.
        similarity: The lowest Jaccard similarity of the sets of shingles that makes duplicates. Shingles that very many
            rows share, a thousandth but at least 8, are a template's and weigh nothing.
    """

    on: Annotated[tuple[Text, ...], Field(min_length=1)] = ("instruction", "both")
    ngram: int = Field(default=5, ge=1, le=20)
    similarity: float = Field(default=0.5, ge=0.3, le=1)


class Semantic(Section):
    """Semantic duplicates: rows that say the same in other words.

    Attributes:
        on: Which text is embedded.
        embedder: What embeds it.
        similarity: The lowest cosine similarity that makes duplicates.
    """

    on: Text = "instruction"
    embedder: EmbedderName = "minilm"
    similarity: Annotated[float, FirstReadBy("match"), Field(ge=0.5, le=1)] = 0.9


class Duplicates(Check):
    """Which rows count as the same; exact duplicates always do.

    Attributes:
        near: How near duplicates are found; null leaves them.
        semantic: How semantic duplicates are found; null leaves them.
        keep: How many members of a cluster of near or semantic duplicates stay, those of earlier rounds first, then the
            best-scored.
    """

    version: ClassVar = 3
    does: ClassVar = (
        "equal after NFKC, case folding and folding of white space; Jaccard similarity of the sets of word n-grams, "
        "found by MinHash, judged by the texts; cosine of sentence vectors, with the extra `semantic`"
    )
    choices: ClassVar = {
        "duplicate": "another row has the same instruction and response",
        "near_duplicate": "another row that is better shares most of its phrases",
        "semantic_duplicate": "another row that is better says the same in other words",
    }
    loosened: ClassVar = {"near_duplicate": ("near.similarity",), "semantic_duplicate": ("semantic.similarity",)}

    near: Near | None = Near()
    semantic: Semantic | None = None
    keep: Annotated[int, FirstReadBy("curate"), Field(ge=1)] = 1

    def off(self) -> dict[str, str]:
        """See `Check.off`."""
        kinds = {"near": self.near, "semantic": self.semantic}
        return {f"{kind}_duplicate": f"duplicates.{kind} is null" for kind, how in kinds.items() if how is None}
