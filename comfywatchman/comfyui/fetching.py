"""Asking a server for many workflows within a time, whatever it does meanwhile.

Four are asked for at a time. A request that fails costs none of the others: it is made again after
them, as long as there is sense in it. What is not had in the end is laid to the server, unless it
sent others while it did not send this one.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui import userdata
from comfywatchman.comfyui.client import PAUSES, ComfyUIError
from comfywatchman.comfyui.connections import AT_ONCE
from comfywatchman.comfyui.kept_workflows import Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from comfywatchman.comfyui.client import ComfyUIClient
    from comfywatchman.comfyui.kept_workflows import KeptWorkflows
    from comfywatchman.comfyui.userdata import SavedOnServer

_ENOUGH: Final = 3
"""Tries after which a workflow is given up if the server sends others meanwhile."""
_SWIFT: Final = 1 / 4
"""Of the time that an answer may take: a server that takes no longer is not at fault when one
workflow takes all of it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of it.

    Attributes:
        refused: what the server does not give, and why.
        not_read: what the server was too slow for, or gone before.
        requests: how many requests were made.
        median: seconds that one of them took; None if none was answered, or waited for to the end.
        stopped: why no more were asked for, before the time was up; None if that was not so.
        time_up: whether it was.
    """

    refused: dict[SavedOnServer, ComfyUIError]
    not_read: list[SavedOnServer]
    requests: int
    median: float | None
    stopped: str | None
    time_up: bool


@dataclass(slots=True, eq=False)
class _Wanted:
    saved: SavedOnServer
    tries: int = 0
    failed_first: float = 0.0
    failed_last: float = 0.0
    not_before: float = 0.0
    """When it is to be asked for again."""
    error: ComfyUIError | None = None
    """Why it could not be had the last time."""


@dataclass(slots=True)
class Fetching:
    """One course of asking.

    Args:
        client: the server.
        kept: takes what is sent.
        max_bytes: refuse larger ones.
        ends: when to end, by the monotonic clock.
        sent: is called each time that the server has sent one.
    """

    client: ComfyUIClient
    kept: KeptWorkflows
    max_bytes: int
    ends: float
    sent: Callable[[], object]
    _fresh: deque[_Wanted] = field(default_factory=deque)
    _later: list[_Wanted] = field(default_factory=list)
    _given_up: list[_Wanted] = field(default_factory=list)
    _requests: int = 0
    _seconds: list[float] = field(default_factory=list)
    _sent: list[tuple[float, float]] = field(default_factory=list)
    """When each workflow was asked for that the server sent, and how many seconds it took."""
    _control: SavedOnServer | None = None
    """One that the server has sent."""
    _streak: list[ComfyUIError] = field(default_factory=list)
    """What failed for the server's sake since then, or since the server was seen to be there."""
    _stopped: str | None = None

    def run(self, workflows: Sequence[SavedOnServer]) -> Fetched:
        """Ask for workflows, in their order, until all are had or the time is up."""
        self._fresh.extend(map(_Wanted, workflows))
        under_way: dict[Future[Packed], tuple[_Wanted, float]] = {}
        with ThreadPoolExecutor(AT_ONCE, "fetch") as pool:
            while self._goes_on() or under_way:
                holds = len(self._streak) >= AT_ONCE
                if holds and not under_way:
                    self._take_breath()
                    continue
                while not holds and len(under_way) < AT_ONCE and (wanted := self._next()):
                    began = time.monotonic()
                    asked = pool.submit(self._ask, wanted.saved, self.ends - began)
                    under_way[asked] = (wanted, began)
                pause = None if holds else self._until_next()
                if under_way:
                    free = len(under_way) < AT_ONCE
                    done, _ = wait(under_way, pause if free else None, FIRST_COMPLETED)
                    for asked in done:
                        self._take_in(asked, *under_way.pop(asked))
                elif pause is not None:
                    if pause > self.client.answer_s:
                        break  # too long to wait for these few
                    time.sleep(pause)
        self._given_up += [*self._fresh, *self._later]
        return self._concluded()

    def _goes_on(self) -> bool:
        more = bool(self._fresh or self._later)
        return more and self._stopped is None and time.monotonic() < self.ends

    def _next(self) -> _Wanted | None:
        """What is to be asked for now: first what was not asked for yet."""
        if not self._goes_on():
            return None
        if self._fresh:
            return self._fresh.popleft()
        first = min(self._later, key=lambda wanted: wanted.not_before)
        if first.not_before > time.monotonic():
            return None
        self._later.remove(first)
        return first

    def _until_next(self) -> float | None:
        """Seconds until there is something to ask for; None if what is under way decides that."""
        if self._fresh or not self._later or not self._goes_on():
            return None
        soonest = min(wanted.not_before for wanted in self._later)
        return max(0.0, min(soonest, self.ends) - time.monotonic())

    def _ask(self, saved: SavedOnServer, left: float) -> Packed:
        seconds = max(min(self.client.answer_s, left), 0.001)
        try:
            return Packed.of(userdata.fetch(self.client, saved, self.max_bytes, seconds=seconds))
        except MemoryError:
            raise ComfyUIError("there is not enough memory to read it", transient=False) from None

    def _take_in(self, asked: Future[Packed], wanted: _Wanted, began: float) -> None:
        """Take in how a request ended."""
        now = time.monotonic()
        self._requests += 1
        try:
            packed = asked.result()
        except ComfyUIError as failure:
            error = failure
        else:
            self._seconds.append(now - began)
            self._sent.append((began, now - began))
            self._control = wanted.saved
            self._streak.clear()
            self.kept.put(wanted.saved, packed)
            self.sent()
            return
        if error.late:
            self._seconds.append(now - began)
            if now >= self.ends:  # it was not given the time that an answer may take
                self._given_up.append(wanted)
                return
        wanted.error = error
        wanted.tries += 1
        wanted.failed_first, wanted.failed_last = wanted.failed_first or now, now
        if is_of_the_server(error):
            self._streak.append(error)
        else:
            self._streak.clear()
        if self._again(wanted, error, now):
            pause = PAUSES[min(wanted.tries, len(PAUSES)) - 1]
            wanted.not_before = now + max(pause, error.pause)
            self._later.append(wanted)
        else:
            self._given_up.append(wanted)

    def _again(self, wanted: _Wanted, error: ComfyUIError, now: float) -> bool:
        """Whether there is sense in asking again for what could not be had."""
        if not error.passes:
            return False
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return wanted.tries == 1  # more often about the question than about the server's state
        if wanted.tries >= _ENOUGH and self._sent_since(wanted.failed_first):
            return False
        return now - wanted.failed_first <= self.client.answer_s and now + error.pause < self.ends

    def _sent_since(self, moment: float) -> list[float]:
        """Seconds that each workflow took which was asked for after a moment, and sent."""
        return [seconds for began, seconds in self._sent if began > moment]

    def _is_swift(self, seconds: float) -> bool:
        return seconds <= _SWIFT * self.client.answer_s

    def _take_breath(self) -> None:
        """Find out whether a server is there that fails at every question.

        One that asks to be left alone is; one that is being restarted is waited for.
        """
        pause = max(error.pause for error in self._streak)
        last = self._streak[-1]
        self._streak.clear()
        if time.monotonic() + pause >= self.ends:
            self._stopped = str(last)
        elif pause:
            time.sleep(pause)
        else:
            try:
                self.client.get_json("/system_stats")
            except ComfyUIError as error:
                self._stopped = str(error)

    def _concluded(self) -> Fetched:
        refused: dict[SavedOnServer, ComfyUIError] = {}
        not_read: list[SavedOnServer] = []
        doubtful: list[tuple[SavedOnServer, ComfyUIError]] = []
        left_alone: ComfyUIError | None = None
        for wanted in self._given_up:
            error = wanted.error
            if error is None:
                not_read.append(wanted.saved)
            elif error.status == HTTPStatus.TOO_MANY_REQUESTS:
                left_alone = error
                not_read.append(wanted.saved)
            elif not is_of_the_server(error) or self._sent_others(wanted, error):
                refused[wanted.saved] = error
            else:
                doubtful.append((wanted.saved, error))
        if doubtful and self._stopped is None:
            sends = self._sends_control() if self._control else lives(self.client)
            # Where it sent nothing at all, one that comes late may well be the server's fault.
            blames = [each for each in doubtful if self._control or not each[1].late]
            refused.update(blames if sends else ())
        not_read += [saved for saved, _ in doubtful if saved not in refused]
        for wanted in self._given_up:
            if wanted.error is not None and (wanted.error.late or wanted.saved in refused):
                self.kept.note_asked(wanted.saved)
        self.kept.commit()
        time_up = self._stopped is None and time.monotonic() >= self.ends
        if left_alone is not None and not time_up:
            self._stopped = self._stopped or str(left_alone)
        median = statistics.median(self._seconds) if self._seconds else None
        return Fetched(refused, not_read, self._requests, median, self._stopped, time_up)

    def _sent_others(self, wanted: _Wanted, error: ComfyUIError) -> bool:
        """Whether the server sent others after this one had failed, and was not slow then."""
        since = self._sent_since(wanted.failed_last)
        return bool(since) and (not error.late or self._is_swift(statistics.median(since)))

    def _sends_control(self) -> bool:
        """Whether the server sends again, and swiftly, what it has sent before."""
        left = self.ends - time.monotonic()
        if self._control is None or left <= 0:
            return False
        began = time.monotonic()
        try:
            self._ask(self._control, left)
        except ComfyUIError:
            return False
        return self._is_swift(time.monotonic() - began)


def is_of_the_server(error: ComfyUIError) -> bool:
    """Whether it may be about the server's state rather than about what was asked for."""
    return error.transient and error.status != HTTPStatus.INTERNAL_SERVER_ERROR


def lives(client: ComfyUIClient) -> bool:
    """Whether the server answers at all."""
    try:
        client.get_json("/system_stats")
    except ComfyUIError:
        return False
    return True
