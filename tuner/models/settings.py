"""The recipe's section on models."""

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from tuner.models import source
from tuner.section import Section, added_field

ROLES = ("generator", "student")
"""The models of a recipe, by their keys."""

FIXED_DATE = datetime.date(2026, 1, 1)
"""An arbitrary day, so that the same recipe renders the same text on every day."""


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} cannot be a variable of a chat template: letters, digits and _ only")
    return name


Variables = dict[Annotated[str, AfterValidator(_name)], bool | int | float | str | None]
"""Variables of a chat template by name."""


class TemplateVariables(Section):
    """Variables of the chat templates, such as `{enable_thinking: false}`.

    Attributes:
        generator: Of the generator's.
        student: Of the student's.
    """

    generator: Variables = Field(default_factory=dict)
    student: Variables = Field(default_factory=dict)


class ChatTemplates(Section):
    """Chat templates that models are given, each a model that has one or a file `./NAME.jinja`; null leaves their own.

    Attributes:
        generator: The generator's; a base model has none.
        student: The student's; one that has none is given the generator's by default.
    """

    generator: str | None = None
    student: str | None = None


class Models(Section):
    """The models, each as `pypi:PACKAGE==VERSION`, a hub id `owner/name[@revision]` or a folder `./path`.

    Attributes:
        generator: The aligned chat model that rows are drawn with; null if none are.
        student: The model that adapters are trained on.
        thoughts: `trained` trains and scores the student on the thoughts of the generator too, `apart` without them.
        date: The day that chat templates print which print today's.
        chat_template: Chat templates that the models are given; the student's is saved with an adapter.
        chat_template_kwargs: Variables of the chat templates; they are saved with an adapter.
    """

    generator: str | None = None
    student: str
    thoughts: Literal["apart", "trained"] = added_field("apart")
    date: datetime.date = added_field(FIXED_DATE)
    chat_template: ChatTemplates = added_field(ChatTemplates())
    chat_template_kwargs: TemplateVariables = added_field(TemplateVariables())

    def with_generator(self, model: str) -> "Models":
        """The same with another generator, which has its own chat template."""
        templates = self.chat_template.model_copy(update={"generator": None})
        variables = self.chat_template_kwargs.model_copy(update={"generator": {}})
        own = {"generator": model, "chat_template": templates, "chat_template_kwargs": variables}
        return self.model_copy(update=own)

    def rendering(self, role: str) -> dict[str, Any]:
        """What decides how a model's chat template renders, besides the model.

        Args:
            role: `generator` or `student`.

        Raises:
            InputError: If the template that it is given is none.
        """
        variables: Variables = getattr(self.chat_template_kwargs, role)
        given: str | None = getattr(self.chat_template, role)
        template = {"chat_template": source.parse_template(given, role).identity()} if given else {}
        thoughts = {"thoughts": self.thoughts} if role == "student" else {}
        return {
            "date": self.date.isoformat(),
            "chat_template_kwargs": dict(variables),
            **template,
            **thoughts,
        }
