"""Sources of a recipe whose rows or texts exist already: files, folders and data sets of the hub."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from tuner.section import Section, added_field

ROWS_IN_FILE = 10_000
"""Rows in one file of the artifact, which is examined at once."""


def file_name(number: int) -> str:
    """The name of such a file."""
    return f"rows/{number:05}.parquet"


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


Places = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1)]
"""One place or several."""


class Contents(Section):
    """What a place held when the recipe was read. The program fills it in, so that other machines plan without it.

    Attributes:
        sha256: The digest of its files; of a data set of the hub, its commit.
        rows: Its rows, or texts; those that cannot be read included.
    """

    sha256: str
    rows: int = Field(ge=1)


class Source(Section):
    """What every source has.

    Attributes:
        share: Its part of `generation.rows`, against the other sources.
        rows: Its number of rows, where `generation.rows` is not given.
    """

    share: float = added_field(1.0, gt=0)
    rows: int | None = added_field(None, ge=1, le=100_000_000)

    def identity(self) -> dict[str, Any]:
        """See `Section.identity`: what decides a row, which how many there are does not."""
        return {name: value for name, value in super().identity().items() if name not in ("share", "rows")}


class Existing(Source):
    """A source at a place.

    Attributes:
        contents: See `Contents`.
    """

    contents: Contents | None = added_field(None)

    PLACE: ClassVar[tuple[str, ...]] = ("path", "dataset", "revision")
    """Fields that say where it is, which the contents stand for."""

    READ: ClassVar[tuple[str, ...]] = ()
    """Fields that say how it is read."""

    def places(self) -> tuple[str, ...]:
        """Where it is, as `opening.open_sources` takes it."""
        raise NotImplementedError

    def read_identity(self) -> dict[str, Any]:
        """What decides the rows or texts that are read of it, as plain data; its contents are pinned."""
        assert self.contents is not None
        plain = self.model_dump(mode="json")
        return {"contents": self.contents.sha256, **{name: plain[name] for name in self.READ if name in plain}}

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`: what decides what is made of that which is read."""
        read = ("contents", *self.PLACE, *self.READ)
        return {name: value for name, value in super().identity().items() if name not in read}


class Rows(Existing):
    """Rows of instructions and responses.

    Attributes:
        columns: What the columns hold, such as `{prompt: question}`, where that cannot be told from their names.
        curation: Sections of `curation` as they apply to these rows; the default is what the profile `own-data` says,
            with what the recipe says itself.
    """

    READ: ClassVar = ("columns",)

    columns: dict[str, str] = added_field({})
    curation: dict[str, Any] | None = added_field(None)


class File(Rows):
    """A file, a folder or several, in any layout that `tuner curate` reads.

    Attributes:
        path: Where.
    """

    source: Literal["file"]
    path: Places

    def places(self) -> tuple[str, ...]:
        """See `Existing.places`."""
        return self.path


class Hub(Rows):
    """A data set of the hub.

    Attributes:
        dataset: `owner/name[/config][:split]`.
        revision: A commit, a branch or a tag; by default the newest commit when the recipe is first read.
    """

    source: Literal["hub"]
    dataset: str = Field(pattern=r"^[\w.-]+/[\w.-]+(/[^:/]+)?(:.+)?$")
    revision: str | None = added_field(None)

    def places(self) -> tuple[str, ...]:
        """See `Existing.places`."""
        revision = self.contents.sha256 if self.contents else self.revision
        return (f"hf://{self.dataset}" + (f"@{revision}" if revision else ""),)


class Texts(Existing):
    """Texts: one for each file of text, or of a column of a table.

    Attributes:
        path: Files and folders.
        column: The column of tables that holds the texts.
        words: The fewest and the most words of a piece: longer texts are cut between paragraphs, and shorter pieces
            are left out.
    """

    READ: ClassVar = ("column", "words")

    path: Places
    column: str = "text"
    words: tuple[int, int] = (20, 400)

    def places(self) -> tuple[str, ...]:
        """See `Existing.places`."""
        return self.path
