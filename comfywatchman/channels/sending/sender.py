"""Sends what waits: ``comfywatchman notify --send``, which runs beside cycles and changes none.

Each target is served on its own, so that one that hangs keeps nothing from the others. A message is
noted as sent once its channel has it: whatever is killed in between sends it once more.
"""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import filelock

from comfywatchman import ownership, redaction
from comfywatchman.channels import ping
from comfywatchman.channels.sending import catalogue, kept, trying
from comfywatchman.events import second_look
from comfywatchman.events.message import Message, Priority, Topic
from comfywatchman.events.outbox import Outbox
from comfywatchman.gate import lock
from comfywatchman.history.error import HistoryError
from comfywatchman.state_files import NOTIFY_LOCK, NOTIFY_WANTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from comfywatchman.channels.sending.target import Target
    from comfywatchman.settings import Settings

TRY = 10.0
"""Seconds that one try may take, once the process that makes it is ready."""
ALL = 30.0
"""Seconds that all may take together; what is left waits for the next time."""
LONGEST_WAIT = 90.0
"""Seconds to wait for a second look, whatever the clock says."""
_WARNING, _INFO = 4, 6


@dataclass(frozen=True, slots=True)
class Job:
    """What goes to one target.

    Attributes:
        target: where to.
        messages: the oldest first; None stands for what ``more`` has.
        more: what else its channel is given.
    """

    target: Target
    messages: list[Message | None]
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message at one target."""

    job: Job
    message: Message | None
    outcome: trying.Outcome


def send(settings: Settings, folder: Path, say: Callable[[int, str], None]) -> None:
    """Send what waits. Raises nothing because of what cannot be sent.

    Args:
        settings: which channels there are.
        folder: the state folder.
        say: tells a line, at a priority of sd-daemon(3).

    Raises:
        OSError: what was sent cannot be noted.
    """
    if not folder.is_dir() or ownership.of_other_host(folder):
        return
    try:
        with lock.make(folder / NOTIFY_LOCK):
            (folder / NOTIFY_WANTED).unlink(missing_ok=True)
            _send(settings, folder, say)
    except filelock.Timeout:
        say(_INFO, "another one is sending")


def _send(settings: Settings, folder: Path, say: Callable[[int, str], None]) -> None:
    remembered = kept.read(folder)
    with Outbox(folder) as outbox:
        with suppress(HistoryError):
            for note in [
                *outbox.drop_for_others(catalogue.messages_go_to(settings)),
                *outbox.drop_old(),
            ]:
                say(_WARNING, note)
        left = _go_round(settings, folder, remembered, outbox, say)
        if _settle(settings, outbox, say):
            left = _go_round(settings, folder, remembered, outbox, say)
    if left:
        (folder / NOTIFY_WANTED).touch(mode=0o600)


def _go_round(
    settings: Settings,
    folder: Path,
    remembered: kept.Kept,
    outbox: Outbox,
    say: Callable[[int, str], None],
) -> bool:
    """Send all that waits and is certain; whether something is left."""
    round_ = Round(settings, folder, remembered, outbox, say)
    for result in _run(list(round_.jobs()), remembered):
        round_.note(result)
    round_.end()
    remembered.write(folder)
    return round_.left


def _settle(settings: Settings, outbox: Outbox, say: Callable[[int, str], None]) -> bool:
    """Have a second look where a message is in doubt, once that is due; whether any stands."""
    doubtful = {
        message.id: message
        for kind in catalogue.messages_go_to(settings)
        for message in outbox.pending(kind)
        if message.doubt is not None
    }
    stands = False
    for message in doubtful.values():
        assert message.doubt is not None  # noqa: S101
        seconds = (message.doubt.not_before - datetime.now(UTC)).total_seconds()
        time.sleep(min(max(seconds, 0.0), LONGEST_WAIT))
        why = second_look.denial(settings, message.doubt)
        with suppress(HistoryError):
            if why is None:
                outbox.confirm(message)
                stands = True
            else:
                outbox.withdraw(message.id, why)
                say(_INFO, f"not told: {why}")
    return stands


class Round:
    """One time that all that waits is sent."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        remembered: kept.Kept,
        outbox: Outbox,
        say: Callable[[int, str], None],
    ) -> None:
        self._settings, self._folder, self._say = settings, folder, say
        self._kept, self._outbox = remembered, outbox
        self._waiting: dict[str, tuple[list[Message], list[Target]]] = {}
        self.left = False

    def jobs(self) -> Iterator[Job]:
        """What is to be sent, target by target."""
        found, troubles = _targets(self._settings)
        for kind, why in troubles.items():
            self._say(_WARNING, why)
            self._kept.fails(kind, kind, why)
            self.left = True
            with suppress(HistoryError):
                for message in self._outbox.pending(kind):
                    self._outbox.failed(message.id, kind, why)
        keys, ids = [*troubles], []
        for kind, targets in found.items():
            self._kept.works(kind)
            keys += [target.key for target in targets]
            if kind == catalogue.PING:
                for target in targets:
                    told = self._kept.channels.get(target.key, {})
                    due = ping.due(self._folder, told, target.given["fail_on"])
                    if due is not None:
                        yield Job(target, [None], {"due": due})
                continue
            known = self._outbox.pending(kind)
            ids += [message.id for message in known]
            pending = [message for message in known if message.doubt is None]
            self._waiting[kind] = (pending, targets)
            for target in targets:
                wanted: list[Message | None] = [
                    message
                    for message in pending
                    if target.wants(message)
                    and target.key not in self._kept.reached.get(message.id, ())
                ]
                if wanted:
                    yield Job(target, wanted)
        self._kept.forget(keys, ids)

    def note(self, result: Result) -> None:
        """Note what became of a message."""
        target, outcome, message = result.job.target, result.outcome, result.message
        if outcome.why:
            self.left = True
            if not outcome.waits:
                self._kept.fails(target.key, target.name, outcome.why)
                self._say(_WARNING, f"{target.name}: not sent: {outcome.why}")
            else:
                self._kept.works(target.key)
                self._say(_INFO, f"{target.name}: {outcome.why}")
        else:
            self._kept.works(target.key)
            self._kept.channels[target.key] = outcome.keep
            if message is not None:
                self._kept.reached.setdefault(message.id, []).append(target.key)
            self._say(_INFO, f"{target.name}: sent")
        # Before the next: a process that is killed sends at most this one again.
        self._kept.write(self._folder)
        with suppress(HistoryError):
            if message is None:
                if not outcome.waits:
                    self._outbox.count(target.kind, "failed" if outcome.why else "sent")
            elif outcome.why and not outcome.waits:
                self._outbox.failed(message.id, target.kind, f"{target.name}: {outcome.why}")
            self._close(target.kind)

    def end(self) -> None:
        """Note what nobody wants, or all have."""
        for kind in self._waiting:
            with suppress(HistoryError):
                self._close(kind)
        self.left = self.left or any(pending for pending, _ in self._waiting.values())

    def _close(self, kind: str) -> None:
        if kind not in self._waiting:
            return
        pending, targets = self._waiting[kind]
        for message in list(pending):
            reached = self._kept.reached.get(message.id, ())
            if all(t.key in reached for t in targets if t.wants(message)):
                self._outbox.sent(message.id, kind)
                pending.remove(message)


def _targets(settings: Settings) -> tuple[dict[str, list[Target]], dict[str, str]]:
    """The targets of each kind, and why those of a kind are not known; protects their secrets."""
    found, troubles = catalogue.targets(settings)
    redaction.protect(*(s for targets in found.values() for t in targets for s in t.secrets))
    return found, troubles


def _run(jobs: list[Job], remembered: kept.Kept, seconds: float = ALL) -> Iterator[Result]:
    """Do all jobs side by side; what became of each message, as it becomes known."""
    results: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
    give_up = time.monotonic() + seconds

    def work(job: Job, told: dict[str, Any]) -> None:
        try:
            for message in job.messages:
                left = give_up - time.monotonic()
                if left <= 0:
                    break
                outcome = trying.attempt(job.target, message, told, TRY, left, **job.more)
                told = outcome.keep or told
                results.put(Result(job, message, outcome))
                if outcome.why:
                    break
        finally:
            results.put(None)

    for job in jobs:
        told = dict(remembered.channels.get(job.target.key, {}))
        threading.Thread(target=work, args=(job, told), daemon=True).start()
    busy = len(jobs)
    while busy:
        result = results.get()
        if result is None:
            busy -= 1
        else:
            yield result


def test(settings: Settings, folder: Path, host: str) -> Iterator[tuple[str, str]]:
    """Send a test to every target, whatever it wants.

    Args:
        settings: which channels there are.
        folder: the state folder.
        host: what this host is called.

    Yields:
        The name of a target, and why it was not reached: a sentence, or nothing if it was.
    """
    found, troubles = _targets(settings)
    yield from troubles.items()
    now = datetime.now(UTC)
    message = Message(
        id="0" * 32,
        at=now,
        host=host,
        topics=(Topic.SUMMARY,),
        subject=f"{host}: a test of ComfyWatchman",
        body="Somebody has asked for it: comfywatchman notify --test. There is nothing to do.",
        priority=Priority.NOTICE,
        report=f"{host}: comfywatchman report",
    )
    jobs = [
        Job(target, [None], {"due": ping.trial(), "test": True})
        if kind == catalogue.PING
        else Job(target, [message])
        for kind, targets in found.items()
        for target in targets
    ]
    for result in _run(jobs, kept.read(folder)):
        yield result.job.target.name, result.outcome.why
