"""When a cycle began, on a clock that may be set while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_STEP = timedelta(seconds=1)
"""Clocks that differ by more have been set; less is the slewing of NTP."""


@dataclass(frozen=True, slots=True)
class CycleClock:
    """A moment, and the time since then by a clock that nobody sets."""

    _moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    _ticks: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds since then, never negative. Suspended time does not count."""
        return time.monotonic() - self._ticks

    def started_at(self) -> datetime:
        """The moment in UTC, as the clock is set now: a step of NTP moves it."""
        counted = datetime.now(UTC) - timedelta(seconds=self.elapsed())
        return counted if abs(counted - self._moment) > _STEP else self._moment
