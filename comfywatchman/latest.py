"""What was made of one object, kept while that lives: a cache of one entry."""

from __future__ import annotations

import weakref
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def kept_for_the_latest(make: Callable[[_Given], _Made]) -> Callable[[_Given], _Made]:
    """Call ``make`` only for an object that is not the one it was called for last.

    Objects are told apart by what they are, not by what they hold: they need no hash, and are
    compared in no time. What was made goes when its object does.

    Args:
        make: a function of one argument, which something can refer to weakly.
    """
    latest: tuple[weakref.ref[_Given], _Made] | None = None

    def forget(gone: weakref.ref[_Given]) -> None:
        nonlocal latest
        if latest is not None and latest[0] is gone:
            latest = None

    @wraps(make)
    def kept(given: _Given) -> _Made:
        nonlocal latest
        before = latest
        if before is not None and before[0]() is given:
            return before[1]
        made = make(given)
        latest = (weakref.ref(given, forget), made)
        return made

    return kept
