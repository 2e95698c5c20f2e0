"""The sources of rows, each in one file. To add one that draws with a model, write its file and add it to `SOURCES`."""

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from tuner.generation.sources.base import Drawn, Sampling
from tuner.generation.sources.documents import Documents
from tuner.generation.sources.magpie import Magpie, System
from tuner.generation.sources.refine import Refine
from tuner.reading.settings import File, Hub, Source

SOURCES: dict[str, type[Source]] = {
    "magpie": Magpie,
    "file": File,
    "hub": Hub,
    "documents": Documents,
    "refine": Refine,
}
"""The sources by what a recipe calls them."""

if TYPE_CHECKING:
    AnySource = Source
else:
    AnySource = Annotated[Union[tuple(SOURCES.values())], Field(discriminator="source")]  # noqa: UP007
    """A source in a recipe: the settings of its kind."""

__all__ = ["SOURCES", "AnySource", "Documents", "Drawn", "Magpie", "Refine", "Sampling", "System"]
