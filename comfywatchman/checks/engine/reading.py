"""What the server makes of a value before it checks it: Python's own conversions."""

from __future__ import annotations

from typing import Any, Final

_WIDGET_WRAPPER: Final = "__value__"


class UnreadableError(Exception):
    """A value that cannot be converted to the declared type."""


def unwrapped(given: object) -> object:
    """Take a value out of the object that tells a list of values from a link."""
    if isinstance(given, dict) and _WIDGET_WRAPPER in given:
        return given[_WIDGET_WRAPPER]
    return given


def read(declared: str, given: Any) -> Any:
    """Convert a value to its declared type, if that is one of the four the server converts.

    ``int(16.9)`` is 16, ``float("nan")`` is a float, ``bool("false")`` is true: so the server.

    Raises:
        UnreadableError: Python cannot convert it.
    """
    if declared == "INT":
        if type(given) is int:
            return given
        convert: type = int
    elif declared == "FLOAT":
        if type(given) is float:
            return given
        convert = float
    elif declared == "BOOLEAN":
        return bool(given)
    elif declared == "STRING" and isinstance(given, (int, float, type(None))):
        # Text is text already, and what a container would read as is of no use to any check.
        convert = str
    else:
        return given
    try:
        return convert(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableError from error
