"""What the sweeps of a recipe have decided: which trials go on after a look, and which are proposed.

What is to be trained follows from results, so a run decides it one look or round after the other, and notes it in its
recipe. It follows from the artifacts in the store alone, so that every run of a recipe decides the same.
"""

from collections.abc import Iterable, Iterator

from tuner.artifacts.manifest import Manifest
from tuner.artifacts.store import Store
from tuner.errors import DamagedArtifactError
from tuner.recipe import Recipe
from tuner.registry import planned
from tuner.stage import Part, Parts
from tuner.training.sweeps.metrics import Steered
from tuner.training.sweeps.stages import STEER, Look


def known(recipe: Recipe, store: Store) -> Recipe:
    """A recipe with what its sweeps decide by the artifacts in a store, as far as these go."""
    for name, adapter in recipe.training.items():
        if adapter.sweep:
            recipe = recipe.with_sweep(name, adapter.sweep.asked)
    while True:
        made = [(parts[0], found) for parts in _undecided(recipe) if (found := _find(store, parts[0]))]
        if not made:
            return recipe
        for part, manifest in made:
            recipe = _decided(recipe, part, manifest)


def due(recipe: Recipe, needed: Iterable[Part]) -> list[Part]:
    """The next looks and rounds, those that hang on nothing undecided; empty if all is decided.

    Args:
        recipe: The recipe, with what is decided so far.
        needed: The planned artifacts that a run makes.
    """
    wanted = {part.fingerprint for part in needed}
    pending = list(_undecided(recipe))
    undecided = {part.fingerprint for parts in pending for part in parts}
    following = [parts[0] for parts in pending if parts[0].fingerprint in wanted]
    return [part for part in following if undecided.intersection(Parts.upstream([part])) == {part.fingerprint}]


def _undecided(recipe: Recipe) -> Iterator[list[Part]]:
    """For every sweep that has not decided all, its looks or rounds to come, in order."""
    wanted = planned(recipe).of(STEER.name)
    for name, adapter in recipe.training.items():
        if sweep := adapter.sweep:
            own = [part for part in wanted if part.subject.adapter == name]
            if coming := own[sweep.decisions :]:
                yield coming


def _find(store: Store, part: Part) -> Manifest | None:
    try:
        return store.find(part.stage, part.fingerprint)
    except DamagedArtifactError:  # a run makes it again
        return None


def _decided(recipe: Recipe, part: Part, manifest: Manifest) -> Recipe:
    name, steered = part.subject.adapter, Steered.read(manifest)
    sweep = recipe.training[name].sweep
    assert sweep is not None
    if isinstance(part.subject, Look):
        return recipe.with_sweep(name, sweep.model_copy(update={"raced": (*sweep.raced, steered.running)}))
    return recipe.with_sweep(name, sweep.model_copy(update={"rounds": (*sweep.rounds, steered.proposed)}))
