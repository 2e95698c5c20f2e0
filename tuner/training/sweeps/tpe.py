"""Trials that learn from the results before them: Optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

Trials come in rounds. Those of the first are random and follow from the recipe; each later round is proposed from the
results of all rounds before it, and from nothing else, so that the same results give the same trials.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError
from tuner.training.methods import Method
from tuner.training.sweeps.settings import Range, Sweep
from tuner.training.sweeps.trials import drawn, plain, validated, value_at

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_ASKS = 100
"""Proposals in a row that may be equal to a trial."""


@dataclass(frozen=True)
class Result:
    """What became of a trial.

    Attributes:
        trial: Its settings.
        loss: Its last loss on the tuning rows, in nats per token; None if it diverged.
        share: The share of its training that was done, 1 unless it was stopped.
    """

    trial: Mapping[str, Any]
    loss: float | None
    share: float = 1.0


def require(name: str) -> None:
    """Checks that Optuna is installed.

    Args:
        name: The adapter's name in the recipe.

    Raises:
        InputError: If it is not.
    """
    if importlib.util.find_spec("optuna") is None:
        raise InputError(f"training.{name}.sweep.how: tpe needs the extra `tpe`: pip install '.[tpe]'")


def propose(
    name: str, adapter: Method, sweep: Sweep, seed: int, results: Sequence[Result], count: int
) -> tuple[dict[str, Any], ...]:
    """The trials of the next round.

    Optuna takes a trial that was stopped as one it pruned: worse than all that were trained to the end, and the worse
    the sooner it was stopped.

    Args:
        name: The adapter's name in the recipe.
        adapter: Its method, with the settings that are not varied.
        sweep: What is varied.
        seed: The recipe's seed.
        results: Those of all trials of the rounds before, in the order of the trials.
        count: The trials of the round.

    Returns:
        What differs from the adapter, by setting; different from each other and from the trials before. Fewer than
        `count` if the swept settings have no more combinations, as far as proposals show.

    Raises:
        InputError: If Optuna is not installed.
        ValueError: As `trials.trials` does.
    """
    require(name)
    if not results:
        return drawn(name, adapter, sweep, seed, count)
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {key: _distribution(adapter, key, values) for key, values in sweep.swept.items()}
    # Another seed for every round; the first round's random trials are its start.
    sampler = optuna.samplers.TPESampler(seed=(seed + len(results)) % 2**32, n_startup_trials=1)
    study = optuna.create_study(sampler=sampler)
    study.add_trials([_frozen(sweep, space, result) for result in results])
    seen = {repr(plain(dict(result.trial))) for result in results}
    found: list[dict[str, Any]] = []
    for _ in range(_ASKS + count):
        if len(found) == count:
            break
        asked = study.ask(space).params
        trial = {key: _value(adapter, key, values, asked[key]) for key, values in sweep.swept.items()}
        if (spelled := repr(plain(trial))) not in seen:
            seen.add(spelled)
            validated(name, adapter, trial)
            found.append(trial)
    return tuple(found)


def _distribution(adapter: Method, key: str, values: Any) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(values, Range):
        return CategoricalDistribution(tuple(range(len(values))))  # the places of the values, which can be of any kind
    low, high = (value_at(adapter, key, values, end) for end in (0, 1))
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=values.scale == "log")
    return FloatDistribution(low, high, log=values.scale == "log")


def _value(adapter: Method, key: str, values: Any, asked: float) -> Any:
    """The value of a setting that Optuna asks for, in the spelling of other trials: see `Range.at`."""
    if not isinstance(values, Range):
        return values[int(asked)]
    if isinstance(asked, int):
        return asked
    return values.rounded(asked)


def _frozen(sweep: Sweep, space: "Mapping[str, BaseDistribution]", result: Result) -> "FrozenTrial":
    """A result as a trial of Optuna's."""
    from optuna.trial import TrialState, create_trial

    params = {
        key: result.trial[key]
        if isinstance(values, Range)
        else list(map(plain, values)).index(plain(result.trial[key]))
        for key, values in sweep.swept.items()
    }
    if result.loss is not None and result.share == 1:
        return create_trial(params=params, distributions=dict(space), value=result.loss)
    step = round(1_000_000 * result.share)  # Optuna counts steps in integers
    values = {} if result.loss is None else {step: result.loss}
    return create_trial(params=params, distributions=dict(space), state=TrialState.PRUNED, intermediate_values=values)
