"""Placeholder metrics for made-up artifacts."""

from typing import Any, Literal, TypeVar, get_args, get_origin

from tuner.metrics import Metrics

Kind = TypeVar("Kind", bound=Metrics)


def hollow(kind: type[Kind], /, **figures: Any) -> Kind:
    """Metrics of a type with the given figures; all others are zero, empty or None."""
    return kind(**{name: _nothing(field.annotation) for name, field in kind.model_fields.items()} | figures)


def _nothing(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if type(None) in arguments:
        return None
    if origin is Literal:
        return arguments[0]
    if origin is None and issubclass(annotation, Metrics):
        return hollow(annotation)
    return (origin or annotation)()
