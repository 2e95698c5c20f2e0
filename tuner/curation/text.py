"""Text as the checks see it: words, the form in which duplicates are compared, and two lists of function words."""

import unicodedata
from dataclasses import dataclass
from functools import cached_property

# The words by which English is recognised, and those whose repetition says nothing: two lists, because the score's
# formulas use two.
# fmt: off
ENGLISH_WORDS = frozenset(
    {"the", "is", "are", "was", "were", "have", "has", "will", "would", "could", "should", "can", "may", "a",
    "an", "and", "or", "but", "if", "then"}
)
COMMON_WORDS = frozenset(
    {"the", "a", "an", "is", "are", "was", "were", "to", "of", "and", "in", "for", "on", "with"}
)
# fmt: on


def normalise(text: str) -> str:
    """The form in which texts are compared: NFKC, casefolded, every run of white space one blank, none at the ends.

    The result holds no line break, so one may join normalised texts without ambiguity.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """The casefolded pieces of a text between white space."""
    return text.casefold().split()


@dataclass(frozen=True)
class Pair:
    """An instruction and its response, their words split once for all checks.

    Attributes:
        instruction: The user's text.
        response: The assistant's text.
    """

    instruction: str
    response: str

    @cached_property
    def instruction_words(self) -> list[str]:
        """The instruction's words."""
        return words(self.instruction)

    @cached_property
    def response_words(self) -> list[str]:
        """The response's words."""
        return words(self.response)

    @property
    def is_whole(self) -> bool:
        """Whether both texts hold anything but white space; only then can a row be scored."""
        return bool(self.instruction_words and self.response_words)
