"""The two adapters that are compared: a run's best one, and the champion from before the run."""

import math
from dataclasses import dataclass

from tuner import regeneration, runs
from tuner.artifacts import aliases
from tuner.artifacts.aliases import Entry
from tuner.artifacts.fingerprint import Spec
from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import InputError
from tuner.evaluation.metrics import Evaluated
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.stage import Parts, require_artifact

CHAMPION, CHALLENGER = "champion", "challenger"
"""The aliases that a regeneration moves."""


@dataclass(frozen=True)
class Contest:
    """A challenger and the champion that it is compared with.

    Attributes:
        run: The run that trained the challenger.
        recipe: The run's recipe.
        adapter: The challenger's name in the run: the adapter with the lowest held-out loss.
        wanted: The run's planned artifacts.
        evaluated: The run's `evaluate` artifact.
        champion: The alias's last move not made for this run; None if there is none.
    """

    run: str
    recipe: Recipe
    adapter: str
    wanted: Parts
    evaluated: Manifest
    champion: Entry | None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the challenger's `train` artifact."""
        return self.wanted.one("train", self.adapter).fingerprint

    @property
    def spec(self) -> Spec:
        """The artifact of the comparison."""
        return Spec(
            "compare",
            regeneration.VERSION,
            {"challenger": self.adapter},
            {
                "evaluation": self.evaluated.fingerprint,
                "data": self.wanted.one("split").fingerprint,
                "challenger": self.fingerprint,
                **({"champion": self.champion.fingerprint} if self.champion else {}),
            },
            exact=False,
        )


def contest(store: Store, run: str) -> Contest:
    """Finds challenger and champion for a completed run.

    The result stays the same after the run's adapter became the champion, so a decision can be repeated.

    Args:
        store: The store of the run and the aliases.
        run: The run's name.

    Raises:
        InputError: If there is no such run.
        StageError: If the run was not evaluated.
    """
    recipe = runs.recipe_of(runs.find(store, run))
    wanted = planned(recipe)
    evaluated = require_artifact(store, wanted.one("evaluate"))
    losses = {name: subject.loss for name, subject in Evaluated.read(evaluated).subjects.items()}
    adapter = min(recipe.trained, key=lambda name: math.inf if (loss := losses[name]) is None else loss)
    entries = aliases.history(store, CHAMPION)
    while entries and entries[-1].run == run:
        entries.pop()
    return Contest(run, recipe, adapter, wanted, evaluated, entries[-1] if entries else None)


def trained(store: Store, champion: Entry) -> Manifest:
    """The champion's `train` artifact.

    Raises:
        InputError: If it is no longer in the store.
    """
    manifest = store.find("train", champion.fingerprint)
    if manifest is None:
        raise InputError(
            f"{champion.alias}: the adapter {champion.adapter} of {champion.run} is no longer in {store.url}; point "
            "the alias at another adapter: tuner promote RUN ADAPTER"
        )
    return manifest
