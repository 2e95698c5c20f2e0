"""What a flow run is called: as a person called it, else by the run in the store and what is done for it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from prefect.runtime import flow_run

from flows import form
from tuner import planning
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import run_name


def named(said: Callable[[Recipe, dict[str, Any]], str]) -> Callable[[], str]:
    """What names a flow run: the name of the run that it belongs to, and what is said of its recipe and parameters."""

    def name() -> str:
        given, current = flow_run.get_parameters(), flow_run.get_name()
        if current and not _is_generated(current):
            return current
        try:
            handed = planning.handed.get()
            recipe = handed[0] if handed else _recipe(given)
            return f"{given.get('name') or run_name(recipe)}: {said(recipe, given)}"
        except InputError:
            # The flow says what is wrong; what is raised here would be a crash without a word in the run's state.
            return "refused"

    return name


def _recipe(given: dict[str, Any]) -> Recipe:
    fields = {key: given.get(key) for key in ("rows", "seed", "epochs", "quality")}
    return form.chosen(given["recipe"], given["recipe_yaml"], given["overrides"], **fields)


def _is_generated(name: str) -> bool:
    """Whether Prefect drew a name: two words of its list, or two capitalised ones of its UI's (`Tasty-Squid`)."""
    words = name.split("-")
    return len(words) == 2 and (_words().issuperset(words) or all(word.isalpha() and word.istitle() for word in words))


@cache
def _words() -> frozenset[str]:
    from coolname.data import config

    return frozenset(word for part in config.values() if part["type"] == "words" for word in part["words"])
