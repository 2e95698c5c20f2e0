"""The trials of a sweep: an ordered tuple that follows from the recipe alone.

Every trial has the method, the rows and the budget of non-pad tokens of the others; what would change one of these
cannot be swept.
"""

import math
import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, get_args

from pydantic import ValidationError

from tuner.training.methods import Method
from tuner.training.sweeps.settings import MOST, Range, Sweep

_STEPS = "it changes the number of steps, and the looks at the trials would come after unlike numbers of tokens"
_TOKENS = "it changes the tokens that a trial sees, and trials have the same budget"

NOT_SWEPT: Mapping[str, str] = {
    "method": "trials of a sweep have one method; name another adapter, with a sweep of its own",
    "epochs": _TOKENS,
    "max_length": "it changes the tokens that a trial sees and is scored on, and losses could not be compared",
    "packing": _TOKENS,
    "early_stopping": _TOKENS,
    "quantization": "trials are compared on one student; name another adapter, with a sweep of its own",
    "batch_size": _STEPS,
    "gradient_accumulation": _STEPS,
    "objective": "it changes what the loss is, and losses could not be compared; name another adapter",
    "start": "trials begin with the same weights; name another adapter, with a sweep of its own",
    "sweep": "a sweep has no sweep",
    "seeds": "trials have the same seed; seeds repeats the best of them",
}
"""Settings that no sweep varies, each with the reason."""

_DRAWS = 1000
"""Draws in a row that may give a trial that is there already."""


def trials(name: str, adapter: Method, sweep: Sweep, seed: int) -> tuple[dict[str, Any], ...]:
    """The settings of every trial of a sweep; of one by `tpe`, those that are proposed so far.

    In a grid the last setting varies fastest. Of random draws, the first n are the same for every number of trials.

    Args:
        name: The adapter's name in the recipe.
        adapter: Its method, with the settings that are not varied.
        sweep: What is varied.
        seed: The recipe's seed.

    Returns:
        What differs from the adapter, by setting.

    Raises:
        ValueError: If the method does not have a setting or a value, a setting cannot be swept, or trials are equal;
            the message names the key in the recipe.
    """
    check(name, adapter, sweep)
    if sweep.how == "tpe":
        drawn(name, adapter, sweep, seed, sweep.trials or 0)  # so that a mistake shows before anything is trained
        return sweep.proposed
    found = _grid(name, adapter, sweep) if sweep.trials is None else drawn(name, adapter, sweep, seed, sweep.trials)
    if unknown := [number for running in sweep.raced for number in running if not 0 <= number < len(found)]:
        raise ValueError(f"{_where(name, 'raced')}: no trial {unknown[0]}; leave raced out, which a run decides")
    return found


def check(name: str, adapter: Method, sweep: Sweep) -> None:
    """Checks the swept settings one by one, so that the message can name the one that is wrong.

    Raises:
        ValueError: As `trials` does.
    """
    for key, values in sweep.swept.items():
        where = _where(name, key)
        if key in NOT_SWEPT:
            raise ValueError(f"{where}: cannot be swept, since {NOT_SWEPT[key]}")
        if key not in type(adapter).model_fields:
            known = ", ".join(each for each in type(adapter).model_fields if each not in NOT_SWEPT)
            raise ValueError(f"{where}: {adapter.name()} has no such setting; it has {known}")
        if isinstance(values, Range) and not _is_number(adapter, key):
            raise ValueError(f"{where}: is no number; give a list of values")
        ends = [value_at(adapter, key, values, end) for end in (0, 1)] if isinstance(values, Range) else values
        for value in ends:
            _merged(name, adapter, {key: value}, key)
        if not isinstance(values, Range) and (twice := _twice([repr(plain(value)) for value in values])):
            raise ValueError(f"{where}: {twice} is there twice")


def validated(name: str, adapter: Method, trial: Mapping[str, Any]) -> Method:
    """The adapter with the settings of a trial.

    Raises:
        ValueError: If the method does not take them together.
    """
    return _merged(name, adapter, trial, ", ".join(trial))


def value_at(adapter: Method, key: str, values: Range, place: float) -> float | int:
    """The value of a setting at a place of a range, rounded to an integer if the setting is one."""
    kind = type(adapter).model_fields[key].annotation
    value = values.at(place)
    return value if float in (kind, *get_args(kind)) else round(value)


def drawn(name: str, adapter: Method, sweep: Sweep, seed: int, count: int) -> tuple[dict[str, Any], ...]:
    """So many random trials, no two of them equal; see `trials`."""
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    draws = _draws(adapter, sweep, seed)
    while len(found) < count:
        for trial in (next(draws) for _ in range(_DRAWS)):
            if (spelled := repr(plain(trial))) not in seen:
                break
        else:
            raise ValueError(
                f"{_where(name, 'trials')}: is {count}, but the swept settings have no more than about "
                f"{len(found)} combinations; lower it, or use how: grid"
            )
        seen.add(spelled)
        validated(name, adapter, trial)
        found.append(trial)
    return tuple(found)


def _grid(name: str, adapter: Method, sweep: Sweep) -> tuple[dict[str, Any], ...]:
    axes: dict[str, list[Any]] = {}
    for key, values in sweep.swept.items():
        if isinstance(values, Range):
            assert values.points is not None
            last = values.points - 1
            axes[key] = [value_at(adapter, key, values, place / last) for place in range(values.points)]
            if twice := _twice([repr(value) for value in axes[key]]):
                raise ValueError(f"{_where(name, key)}: {values.points} points hold {twice} twice; lower points")
        else:
            axes[key] = list(values)
    if (count := math.prod(map(len, axes.values()))) > MOST:
        raise ValueError(f"training.{name}.sweep: {count:,} combinations; at most {MOST} trials are allowed")
    found = tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))
    for trial in found:
        validated(name, adapter, trial)
    return found


def _draws(adapter: Method, sweep: Sweep, seed: int) -> Iterator[dict[str, Any]]:
    # Python promises the same numbers from `random()` in all its versions, unlike `choice` and NumPy's generators.
    generator = random.Random(seed)
    while True:
        yield {
            key: value_at(adapter, key, values, place)
            if isinstance(values, Range)
            else values[int(place * len(values))]
            for (key, values), place in ((item, generator.random()) for item in sweep.swept.items())
        }


def _merged(name: str, adapter: Method, trial: Mapping[str, Any], key: str) -> Method:
    try:
        return type(adapter).model_validate({**adapter.model_dump(exclude={"sweep", "seeds"}), **trial})
    except ValidationError as error:
        first = error.errors()[0]
        shown = ", ".join(f"{value!r}" for value in trial.values())
        problem = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{_where(name, key)}: {shown} does not go with {adapter.name()}: {problem}") from None


def _is_number(adapter: Method, key: str) -> bool:
    kind = type(adapter).model_fields[key].annotation
    return not {int, float}.isdisjoint((kind, *get_args(kind)))


def plain(value: Any) -> Any:
    """A value whose `repr` is the same for equal settings: 1 and 1.0, a list and a tuple."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _twice(spelled: list[str]) -> str | None:
    """The first that is there before."""
    return next((each for place, each in enumerate(spelled) if each in spelled[:place]), None)


def _where(name: str, key: str) -> str:
    return f"training.{name}.sweep.{key}"
