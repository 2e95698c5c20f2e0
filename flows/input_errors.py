"""Shows invalid input in the flow run's state, where a user looks first, without a stack trace."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from prefect.states import Failed

from tuner.errors import InputError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def fail_on_input_error(work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turns an `InputError` of a flow into a failed state with its message; a caller still gets the error raised."""

    @wraps(work)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return work(*args, **kwargs)
        except InputError as error:
            failed: Any = Failed(message=str(error), data=error)
            return failed

    return checked
