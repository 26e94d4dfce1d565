"""Words that hosts wrote, as the fleet shows them, and times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from comfywatchman.escape import NAME_LIMIT, SENTENCE_LIMIT, visible
from comfywatchman.fleet.shape import DamagedError

CACHED: Final = 50_000
"""Texts kept as they are shown: hosts say the same things over and over."""


def identity(path: str, name: str) -> str:
    """What a workflow is called in the fleet, so that it is the same one on every host.

    It is the path below the folder that was searched; of one saved on the server, the path below
    its user's folder, with the user's name before it unless that is ``default``.

    Args:
        path: ``path`` of the workflow in the host's report.
        name: ``name`` of the workflow there.
    """
    user, _, below = name.partition("/")
    if user == "default" and below and path.endswith(f"{user}/workflows/{below}"):
        name = below
    return shown_name(name)


@lru_cache(CACHED)
def shown(text: str) -> str:
    """A sentence: visible, and not longer than one is."""
    return visible(text, limit=SENTENCE_LIMIT)


@lru_cache(CACHED)
def shown_name(text: str) -> str:
    """A name, likewise."""
    return visible(text, limit=NAME_LIMIT)


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of an ISO 8601 time; one without a zone is UTC.

    Raises:
        DamagedError: it is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise DamagedError(f"{text[:40]!r} is no time") from None


def counted(number: int, noun: str) -> str:
    """A number of things, e.g. ``1,234 hosts``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def span(seconds: float) -> str:
    """A length of time as people say it, e.g. ``3 h 20 min``."""
    minutes = int(abs(seconds) // 60)
    if minutes < 1:
        return f"{int(abs(seconds))} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"
