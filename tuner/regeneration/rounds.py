"""Finds the next round from the runs in the store."""

from typing import Any

from tuner.artifacts import aliases
from tuner.artifacts.store import Store
from tuner.recipe import Recipe
from tuner.regeneration.contest import CHALLENGER
from tuner.registry import NAMES
from tuner.runs import asked_adapter, recipe_of


def following(recipe: Recipe, store: Store) -> Recipe:
    """The recipe of the round after the last completed one; the recipe itself if none is completed.

    A round that was started but not completed gets the same recipe again, so it is resumed under the same name.

    Args:
        recipe: The recipe of the first round.
        store: The store of its runs.

    Returns:
        The recipe with one more round, and with the former split, whose rows keep their sides.
    """
    done = _completed(recipe, store)
    if not done:
        return recipe
    last = done[-1]
    split = next(artifact["fingerprint"] for artifact in last["artifacts"] if artifact["stage"] == "split")
    return recipe.model_copy(
        update={
            "generation": recipe.generation.model_copy(update={"rounds": _rounds(last) + 1}),
            "split": recipe.split.model_copy(update={"former": split}),
        }
    )


def undecided(recipe: Recipe, store: Store) -> Recipe | None:
    """The last completed round if it has no decision: it was run by hand, or interrupted before the decision.

    Args:
        recipe: The recipe of the first round.
        store: The store of its runs.
    """
    done = _completed(recipe, store)
    if not done:
        return None
    # A round may have been run under several names; one decision is sufficient.
    names = {record["name"] for record in done if _rounds(record) == _rounds(done[-1])}
    if any(entry.run in names for entry in aliases.history(store, CHALLENGER)):
        return None
    return recipe_of(done[-1])


def _completed(recipe: Recipe, store: Store) -> list[dict[str, Any]]:
    """The completed runs of the recipe and of its later rounds, in order of rounds."""
    wanted = _base(recipe.model_dump(mode="json"))
    records = [record for name in store.run_names() if (record := store.read_run(name))]
    done = [
        record
        for record in records
        if (record["state"], record["until"]) == ("completed", NAMES[-1])
        and _base(record["recipe"]) == wanted
        and _rounds(record) >= recipe.generation.rounds
    ]
    return sorted(done, key=lambda record: (_rounds(record), record["created"]))


def _rounds(record: dict[str, Any]) -> int:
    return record["recipe"]["generation"].get("rounds", 1)


def _base(plain: dict[str, Any]) -> dict[str, Any]:
    """The settings that all rounds of a recipe share."""
    generation = {key: value for key, value in plain["generation"].items() if key != "rounds"}
    split = {key: value for key, value in plain["split"].items() if key != "former"}
    training = {name: asked_adapter(adapter) for name, adapter in plain["training"].items()}
    return {**plain, "generation": generation, "split": split, "training": training}
