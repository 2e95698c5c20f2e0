"""How a flow refuses what it is asked for: in its state, where a person looks first, without a stack trace."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect.states import Failed

from tuner.errors import InputError

Given = ParamSpec("Given")
Result = TypeVar("Result")


def refusing(work: Callable[Given, Result]) -> Callable[Given, Result]:
    """Has a flow end in a failed state that says what is wrong with its input; whoever calls it gets the error."""

    @wraps(work)
    def refuse(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return work(*args, **kwargs)
        except InputError as error:
            refused: Any = Failed(message=str(error), data=error)
            return refused

    return refuse
