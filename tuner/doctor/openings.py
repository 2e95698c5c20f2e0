"""The ways to open a prompt that instructions are drawn from, each as settings of a recipe."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuner.errors import InputError
from tuner.generation.sources import Magpie, Sampling
from tuner.generation.steering import BARE
from tuner.models import chat, templates
from tuner.models.chat import Chat
from tuner.models.settings import Models, TemplateVariables, Variables
from tuner.recipe import Recipe

THE_RECIPES = "the recipe's"
"""How the setting begins of an opening that the recipe has already."""

_SWITCH = r"\b[a-z_]*(?:think|reason)[a-z_]*\b"
_EFFORTS = ("low", "medium", "high")
_KEYS = ("prefix", "system", "languages", "begins")
"""What a recipe says of openings."""


@dataclass(frozen=True, eq=False)
class Opening:
    """A way to open a prompt.

    Attributes:
        name: What it is called.
        setting: What to write in a recipe to get it; empty for a model's default.
        models: The section of such a recipe.
        source: The source of rows in such a recipe.
    """

    name: str
    setting: str
    models: Models
    source: Magpie

    @cached_property
    def chat(self) -> Chat:
        """The generator's tokenizer and template; raises as `chat.load` does."""
        return chat.load(self.models, "generator")

    def beginnings(self, loaded: Chat) -> tuple[str, ...]:
        """What tells it from others: its prompts, before topics and languages are put in.

        Args:
            loaded: Its chat.

        Raises:
            InputError: As `Chat.beginning` does.
        """
        languages, begins = self.source.languages, self.source.begins
        prompts = [system.prompt for system in self.source.system] or ([BARE] if languages else [None])
        return *(loaded.beginning(self.source.prefix, prompt) for prompt in prompts), *languages, *begins


def find(model: str, recipe: Recipe | None = None) -> tuple[list[Opening], list[str]]:
    """The openings of a model that differ from each other.

    Args:
        model: The model, as written in a recipe.
        recipe: Whose system prompts or prefix are looked at, too; its template, variables and sampling are used.

    Returns:
        The openings, those first that take no change of the recipe; and a line for each that was left out, with the
        reason.

    Raises:
        InputError: If the model cannot be loaded, or nothing can be drawn from it.
    """
    models = recipe.models.model_copy(update={"generator": model}) if recipe else Models(generator=model, student=model)
    found = recipe.generation.magpie if recipe else None
    written = found[1] if found else None
    plain = Magpie(instruction=written.instruction if written else Sampling(top_p=0.95, max_tokens=96))
    own = Opening("the template's own", "", models, plain)
    candidates = [*_of_recipe(own, written), own, *_without_system(own), *_switched(own)]
    different: dict[tuple[str, ...], Opening] = {}
    notes: list[str] = []
    for each in candidates:
        try:
            prompts = each.beginnings(each.chat)
        except InputError as error:
            notes.append(f"{each.name}: {error}")
            continue
        if prompts in different:
            notes.append(f"{each.name}: as {different[prompts].name}")
        else:
            different[prompts] = each
    if not different:
        raise InputError(notes[0].partition(": ")[2])
    return list(different.values()), notes


def bare(loaded: Chat) -> str | None:
    """What stands before a user's first words if no system turn does; None if the template does not show it.

    It is the header of a later turn of the user, which no system turn precedes, behind the start token.
    """
    user, later = {"role": "user", "content": "A"}, {"role": "user", "content": templates.SENTINEL}
    try:
        rendered = loaded.prompt([user, {"role": "assistant", "content": templates.ANSWER}, later])
    except templates.RENDERING:
        return None
    between = rendered.partition(templates.ANSWER)[2].partition(templates.SENTINEL)[0]
    own, start = loaded.template.prefix, str(loaded.tokenizer.bos_token or "")
    header = between.partition(loaded.template.answer_end)[2].lstrip()
    if not header or not own.endswith(header):
        return None
    if own.removeprefix(start).strip() == header.removeprefix(start).strip():
        return own
    return header if not own.startswith(start) or header.startswith(start) else f"{start}{header}"


def _without_system(own: Opening) -> Iterator[Opening]:
    prefix = bare(own.chat)
    if prefix is not None:
        shown = f"generation: {{prefix: {json.dumps(prefix, ensure_ascii=False)}}}"
        yield Opening("no system turn", shown, own.models, own.source.model_copy(update={"prefix": prefix}))


def _of_recipe(own: Opening, written: Magpie | None) -> Iterator[Opening]:
    """What the recipe says itself; it sets either a prefix or the others."""
    for key in _KEYS:
        if written and getattr(written, key):
            given = {name: getattr(written, name) for name in _KEYS}
            name = f"{THE_RECIPES} generation.{key}"
            yield Opening(name, name, own.models, own.source.model_copy(update=given))
            return


def _switched(own: Opening) -> Iterator[Opening]:
    """The switches of a model's thoughts: variables of its template with such a name."""
    for name in sorted(set(re.findall(_SWITCH, str(own.chat.tokenizer.chat_template)))):
        values: Sequence[bool | str] = _EFFORTS if name.endswith("effort") else (True, False)
        for value in values:
            opening = _switch(own, name, value)
            if _changes(own, opening):
                yield opening


def _switch(own: Opening, name: str, value: bool | str) -> Opening:
    given = own.models.chat_template_kwargs
    variables: Variables = {**given.generator, name: value}
    kwargs = TemplateVariables(generator=variables, student=given.student)
    shown = f"{name}: {str(value).lower()}"
    return Opening(
        shown,
        f"models: {{chat_template_kwargs: {{generator: {{{shown}}}}}}}",
        own.models.model_copy(update={"chat_template_kwargs": kwargs}),
        own.source,
    )


def _changes(own: Opening, other: Opening) -> bool:
    """Whether it renders anything otherwise before the user's words or behind them; a template names other things."""
    try:
        before, after = own.chat.template, other.chat.template
    except InputError:
        return False
    return (before.prefix, before.suffix) != (after.prefix, after.suffix)
