"""How long reading from a disk may take: a mount that hangs takes no cycle along."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Blind(Exception):  # noqa: N818  (no error: part of what a reader has to say)
    """A source cannot be read, or not as a whole; the text is one sentence that says why."""


class Budget:
    """A time limit that several readers share.

    Args:
        seconds: how long all of them may take together.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left; 0 if none are."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """To be called before each thing that may take long.

        Raises:
            Blind: the time is over.
        """
        if time.monotonic() >= self._end:
            raise self.over()

    def over(self) -> Blind:
        """What is said when the time is over."""
        return Blind(
            f"the disk did not answer within {self._seconds:g} s: a mount may hang, or is slow"
        )


class Reading(Generic[T]):
    """A reader at work, in a thread of its own: what hangs in the kernel cannot be interrupted.

    Args:
        read: what reads; it checks the budget itself where it can.
        budget: how long it may take.
    """

    def __init__(self, read: Callable[[], T], budget: Budget) -> None:
        self._read, self._budget = read, budget
        self._found: list[T] = []
        self._trouble: Blind | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="reading")
        self._thread.start()

    def result(self) -> T:
        """Wait for what was read.

        Raises:
            Blind: it could not be read, or not in time; the thread is left behind then.
        """
        self._thread.join(self._budget.left)
        if self._thread.is_alive():
            raise self._budget.over()
        if self._trouble is not None:
            raise self._trouble
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._read())
        except Blind as blind:
            self._trouble = blind
        except Exception as error:  # noqa: BLE001  (memory is no reason to end a cycle)
            self._trouble = Blind(f"a bug of ComfyWatchman kept it from that ({error!r:.200})")
