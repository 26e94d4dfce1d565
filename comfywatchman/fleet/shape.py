"""Reading JSON that others wrote: what is there has the type it should have, or it is damaged."""

from __future__ import annotations

import math
from typing import Any


class DamagedError(Exception):
    """The data are not what they should be. The text says what, and where."""


class Shape:
    """A JSON object whose values are read by their type. What is absent or null is ``None``.

    Args:
        value: what should be the object.
        key: what it is called in the text of :class:`DamagedError`, or where it is in ``of``.
        of: the object that it is in.
    """

    __slots__ = ("_key", "_of", "_value")

    def __init__(self, value: object, key: str | int, of: Shape | None = None) -> None:
        self._of = of
        self._key = key
        if not isinstance(value, dict):
            raise DamagedError(f"{self.name} is {_kind(value)}, not an object")
        self._value: dict[str, Any] = value

    @property
    def name(self) -> str:
        """What it is called, e.g. ``the report.workflows[3]``."""
        if self._of is None:
            return str(self._key)
        key = f"[{self._key}]" if isinstance(self._key, int) else f".{self._key}"
        return self._of.name + key

    def text(self, key: str) -> str | None:
        """A string."""
        value = self._value.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(key, value, "text")

    def number(self, key: str) -> float | None:
        """A finite number."""
        value = self._value.get(key)
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
            return float(value)
        raise self._wrong(key, value, "a number that makes sense")

    def truth(self, key: str) -> bool:
        """True or false; false if it is absent."""
        value = self._value.get(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self._wrong(key, value, "true or false")

    def child(self, key: str) -> Shape | None:
        """An object."""
        value = self._value.get(key)
        return None if value is None else Shape(value, key, self)

    def objects(self, key: str) -> list[Shape]:
        """A list of objects; empty if it is absent."""
        values = self._list(key)
        if not values:
            return []
        listed = Shape({}, key, self)
        return [Shape(each, i, listed) for i, each in enumerate(values)]

    def texts(self, key: str) -> list[str]:
        """A list of strings; empty if it is absent."""
        values = self._list(key)
        for value in values:
            if not isinstance(value, str):
                raise self._wrong(key, value, "a list of texts")
        return values

    def raw(self) -> dict[str, Any]:
        """The object itself."""
        return self._value

    def need(self, key: str) -> str:
        """A string that must be there."""
        value = self.text(key)
        if value is None:
            raise DamagedError(f"{self.name} has no {key}")
        return value

    def version(self, newest: int, oldest: int | None = None) -> None:
        """See that ``schema_version`` is one that can be read.

        Args:
            newest: the newest version that can be read.
            oldest: the oldest; None if the newest is the only one.
        """
        value = self._value.get("schema_version")
        if isinstance(value, int) and value > newest:
            raise DamagedError(
                f"{self.name} has schema version {value}, and this program reads {newest}: update "
                "the controller's checkout"
            )
        if not isinstance(value, int) or isinstance(value, bool) or value < (oldest or newest):
            raise DamagedError(f"{self.name} has no schema version that can be read")

    def _list(self, key: str) -> list[Any]:
        value = self._value.get(key)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self._wrong(key, value, "a list")

    def _wrong(self, key: str, value: object, wanted: str) -> DamagedError:
        return DamagedError(f"{self.name}.{key} is {_kind(value)}, not {wanted}")


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case float() if not math.isfinite(value):
            return "no finite number"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"
