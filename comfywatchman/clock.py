"""When a cycle began, on a clock that may be set while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

_STEP = 1.0
"""Clocks that differ by more have been set; less is the slewing of NTP."""
_AT_ONCE = 0.05
"""Seconds within which two clocks are read as if at once."""


def ahead() -> float:
    """Seconds that the wall clock is ahead of the one that nobody sets.

    Read anew if this process had to wait between the two: that would look like a clock that was
    set.
    """
    best, found = float("inf"), 0.0
    for _ in range(20):
        before = time.monotonic()
        wall = time.time()
        took = time.monotonic() - before
        if took < best:
            best, found = took, wall - before
        if best < _AT_ONCE:
            break
    return found


@dataclass(frozen=True, slots=True)
class CycleClock:
    """A moment, and the time since then by a clock that nobody sets."""

    _ticks: float = field(default_factory=time.monotonic)
    _ahead: float = field(default_factory=ahead)

    def elapsed(self) -> float:
        """Seconds since then, never negative. Suspended time does not count."""
        return time.monotonic() - self._ticks

    def started_at(self) -> datetime:
        """The moment in UTC, as the clock is set now: a step of NTP moves it."""
        now = ahead()
        return datetime.fromtimestamp(
            self._ticks + (now if abs(now - self._ahead) > _STEP else self._ahead), UTC
        )
