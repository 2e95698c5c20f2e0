"""Names of flow runs: the name that a user typed, else the run's name in the store and what the flow does for it."""

from collections.abc import Callable
from functools import cache
from typing import Any

from prefect.runtime import flow_run

from flows import form
from tuner import planning
from tuner.errors import InputError
from tuner.recipe import Recipe
from tuner.registry import run_name


def flow_run_namer(describe: Callable[[Recipe, dict[str, Any]], str]) -> Callable[[], str]:
    """A function that names a flow run `<run>: <description>`, the description made from recipe and parameters."""

    def name() -> str:
        parameters, current = flow_run.get_parameters(), flow_run.get_name()
        if current and not _is_generated(current):
            return current
        try:
            prepared = planning.prepared.get()
            recipe = prepared[0] if prepared else _recipe(parameters)
            return f"{parameters.get('name') or run_name(recipe)}: {describe(recipe, parameters)}"
        except InputError:
            # The flow itself reports the error; raised here, it would be a crash without a message in the run's state.
            return "refused"

    return name


def _recipe(parameters: dict[str, Any]) -> Recipe:
    fields = {key: parameters.get(key) for key in ("rows", "seed", "epochs", "quality")}
    return form.recipe_from_form(parameters["recipe"], parameters["recipe_yaml"], parameters["overrides"], **fields)


def _is_generated(name: str) -> bool:
    """Whether Prefect made up a name: two words of its list, or two capitalised words of its UI's (`Tasty-Squid`)."""
    words = name.split("-")
    return len(words) == 2 and (_words().issuperset(words) or all(word.isalpha() and word.istitle() for word in words))


@cache
def _words() -> frozenset[str]:
    from coolname.data import config

    return frozenset(word for part in config.values() if part["type"] == "words" for word in part["words"])
