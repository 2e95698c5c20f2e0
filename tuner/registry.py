"""The stages, and the planned artifacts of a recipe."""

from collections.abc import Mapping
from functools import lru_cache

from tuner import hashing
from tuner.curation.judging.stage import JUDGE
from tuner.curation.stages import CURATE, EXAMINE, MATCH
from tuner.evaluation.stage import EVALUATE
from tuner.generation.stage import GENERATE
from tuner.models import source
from tuner.models.settings import ROLES
from tuner.preference.stages import CANDIDATES, PAIR, SCORE
from tuner.reading.stage import READ
from tuner.recipe import Recipe
from tuner.report.stage import REPORT
from tuner.settings import settings
from tuner.splitting.stage import SPLIT
from tuner.stage import Parts, Stage
from tuner.training.stage import REFERENCE, TRAIN, TRAIN_ON_PAIRS
from tuner.training.sweeps.stages import STEER, STEER_ON_PAIRS, TRIAL, TRIAL_ON_PAIRS

CHAIN: tuple[Stage, ...] = (
    *(READ, GENERATE, EXAMINE, JUDGE, MATCH, CURATE, SPLIT),
    *(TRIAL, STEER, TRAIN),
    *(CANDIDATES, SCORE, PAIR, REFERENCE),
    *(TRIAL_ON_PAIRS, STEER_ON_PAIRS, TRAIN_ON_PAIRS),
    *(EVALUATE, REPORT),
)
"""The stages in order, each after those that it reads. A stage that reads itself is listed twice, with other parts."""

STAGES: Mapping[str, Stage] = {stage.name: stage for stage in CHAIN}
"""The stages by name."""

NAMES = tuple(STAGES)
FIRST, LAST = NAMES[0], NAMES[-1]

Pairs = tuple[tuple[str, str], ...]


def planned(recipe: Recipe) -> Parts:
    """The planned artifacts of a recipe, which follow from the recipe alone.

    Raises:
        InputError: If a model string is not valid or names a missing folder.
    """
    recipe = recipe.pinned()
    named = {f"models.{key}": model for key in ROLES if (model := getattr(recipe.models, key)) is not None}
    named |= recipe.generators | recipe.judges | recipe.answering
    models = tuple(
        (key.removeprefix("models."), tuple(source.parse(model, key).identity().items()))
        for key, model in named.items()
    )
    return _planned(recipe, models, repr(recipe.curation.decontamination.identity()), settings().engine)


# Cached: every task of a run needs the same parts, and thousands of shards take a third of a second to plan. The key
# includes what fingerprints depend on besides the recipe: the models and the contents of the benchmark files; and what
# `Part.same_bytes` depends on: the engine.
@lru_cache(maxsize=4)
def _planned(recipe: Recipe, models: tuple[tuple[str, Pairs], ...], _files: str, _engine: str) -> Parts:
    parts = Parts(recipe, {key: dict(pairs) for key, pairs in models})
    for stage in CHAIN:
        parts.add(stage)
    return parts


def run_name(recipe: Recipe) -> str:
    """The default name of a run: the recipe's name and the first digits of its last artifact's fingerprint.

    That of a recipe with a target or a sweep hangs on what a run decides; there the digits are those of what is asked
    for.
    """
    fingerprint = planned(recipe.asked).one(LAST).fingerprint
    if recipe.generation.kept is None:
        return f"{recipe.name}-{fingerprint[:8]}"
    return f"{recipe.name}-{fingerprint[:4]}{hashing.of_text(str(recipe.generation.kept))[:4]}"
