"""The history of a state folder: what each cycle found changed, and what it rested on.

Imports no SQLite until one is opened: there are Pythons that were built without it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from comfywatchman import state_files
from comfywatchman.history import kept_world, packing, reading, writing
from comfywatchman.history.copies import Copies
from comfywatchman.history.error import HistoryError
from comfywatchman.history.records import CycleRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection
    from types import TracebackType

    from comfywatchman.history.database import Database
    from comfywatchman.history.facts import FactKind, Facts, Value
    from comfywatchman.history.records import Event, Full, State
    from comfywatchman.history.world import World
    from comfywatchman.results import (
        LastRun,
        Milestone,
        PastVerdict,
        Report,
        WorkflowReport,
    )

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Previous:
    """The last full cycle. What it does not hold is read when it is asked for.

    Attributes:
        started_at: its start, UTC.
        skipped: how many cycles since then were skipped, failed or killed.
        program: digest of the code that made its verdicts.
        version: of ComfyWatchman.
        states: what it found of each workflow, by path; one that it did not come to is there as
            it was found last.
    """

    started_at: datetime
    skipped: int
    program: str
    version: str
    states: Mapping[str, State]
    _history: History

    def facts(self) -> Facts:
        """The facts of the host, of each kind as it was last read as a whole."""
        return self._history.ask(lambda c: reading.facts_at(c, packing.LATEST), {})

    def world(self) -> World | None:
        """What its verdicts rest on; None if that could not be kept."""
        return self._history.ask(kept_world.load, None)

    def report(self, path: str) -> WorkflowReport | None:
        """What it found of a workflow; None if it is not among its own."""
        return self._history.ask(lambda c: reading.report_of(c, path, known=False), None)

    def known(self, path: str) -> WorkflowReport | None:
        """The last thing found of a workflow that was not ``unknown``; None if there is none."""
        return self._history.ask(lambda c: reading.report_of(c, path, known=True), None)


class History:
    """The history of one state folder. To be used by one thread at a time, as a context manager.

    Attributes:
        notes: a sentence for each thing that a person should be told.
        copies: the workflows that are kept as they were saved.
    """

    def __init__(
        self, folder: Path, *, days: int, copies_room: int, readonly: bool = False
    ) -> None:
        self.notes: list[str] = []
        self.copies = Copies(
            folder / state_files.WORKFLOW_COPIES, copies_room, self.notes, readonly=readonly
        )
        self._days = days
        self._database: Database | None = None
        self._trouble: str | None = None
        self._file = folder / state_files.HISTORY
        if days <= 0 and not readonly:
            return
        try:
            from comfywatchman.history.database import Database
            from comfywatchman.history.migrations import APPLICATION, MIGRATIONS
        except ImportError:
            self._trouble = f"{self._file} cannot be used: this Python has no sqlite3"
            self.notes.append(self._trouble)
            return
        self._database = Database(
            self._file, APPLICATION, MIGRATIONS, self.notes, readonly=readonly
        )
        if not readonly:
            self._database.check(self.ask(writing.count, 0))

    @classmethod
    def open(cls, folder: Path, *, days: int, copies_room: int, readonly: bool = False) -> Self:
        """Open it, whatever state its files are in; nothing is raised for that.

        Args:
            folder: the state folder; it is there already.
            days: how long what is over is kept; 0 keeps no history, and knows none.
            copies_room: bytes that copies of workflows may take; 0 keeps none, and knows none.
            readonly: look at what is there, whatever is to be kept, and make nothing.
        """
        return cls(folder, days=days, copies_room=copies_room, readonly=readonly)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.copies.close()
        if self._database is not None:
            self._database.close()

    @property
    def trouble(self) -> str | None:
        """Why the history cannot be used, or nothing is added to it; None if all is well."""
        return self._trouble if self._database is None else self._database.trouble

    def previous(self) -> Previous | None:
        """The last full cycle; None if none is on record."""

        def ask(connection: Connection) -> Previous | None:
            known = writing.meta(connection)
            if "last_full" not in known:
                return None
            at = known["last_full"]
            version, skipped = reading.since_full(connection, at)
            return Previous(
                packing.time_of(at),
                skipped,
                str(known["program"]),
                version,
                reading.states(connection),
                self,
            )

        return self.ask(ask, None)

    def remember(
        self,
        cycle: CycleRow,
        full: Full | None,
        beside: Callable[[Connection], None] | None = None,
    ) -> None:
        """Put a cycle on record as a whole; what has not changed is not written again.

        Args:
            cycle: how it went.
            full: what it found, if it was over everything.
            beside: writes what else is to be on record if and only if this is.

        Raises:
            HistoryError: it could not be, and the history is as it was.
        """

        def change(connection: Connection) -> None:
            writing.write(connection, what, self._days)
            if beside is not None:
                beside(connection)

        try:
            what = writing.prepare(cycle, full)
        except (RecursionError, TypeError, ValueError) as error:
            raise HistoryError(
                f"{self._file}: what was found cannot be kept ({type(error).__name__})"
            ) from None
        if full is not None:
            self.copies.settle(full.report.workflows, what.at, full.unseen)
        if self._database is not None:
            self._database.write(change)
        elif self._trouble:
            raise HistoryError(self._trouble)

    def record_interrupted(self, last_run: LastRun) -> None:
        """Put a cycle on record that left word of itself in ``last-run.json`` alone, once.

        Of one that still runs, this is not to be called; one over some paths is not recorded.

        Raises:
            HistoryError: it could not be, and the history is as it was.
        """
        database = self._database
        at = packing.stamp(last_run.started_at)
        if last_run.paths or database is None or self.ask(lambda c: reading.is_known(c, at), True):
            return
        cycle = CycleRow(
            last_run.started_at,
            last_run.duration_s,
            last_run.outcome,
            last_run.reason,
            last_run.comfywatchman_version,
        )
        database.write(lambda connection: writing.write_cycle(connection, cycle, at))

    def names(self) -> dict[str, str]:
        """What each workflow is called that is there or has been, by its path."""
        return self.ask(reading.names, {})

    def past(self, since: datetime) -> dict[str, list[PastVerdict]]:
        """The verdicts of each workflow from a time on, the oldest first.

        The one that held at that time is the first of them.
        """
        return self.ask(lambda c: reading.past(c, packing.stamp(since)), {})

    def timeline(self, since: datetime, limit: int) -> list[Milestone]:
        """The cycles from a time on that found something changed, the newest first."""
        return self.ask(lambda c: reading.timeline(c, packing.stamp(since), limit), [])

    def events(self, since: datetime | None = None, workflow: str | None = None) -> list[Event]:
        """What each cycle found changed, the newest first.

        Args:
            since: from when on; None: from the beginning.
            workflow: the path of one: only what changed with it, with its causes alone, and
                with all that changed on the host.
        """
        first = None if since is None else packing.stamp(since)
        return self.ask(lambda c: reading.events(c, first, workflow), [])

    def report_at(self, when: datetime) -> Report | None:
        """The report as it was at a time; None before the first.

        A workflow is there as it was found last, also one that its cycle did not come to. Findings
        are worded as when they came up. Of a day that is more than 90 days ago, gate and duration
        are those of one of its cycles.
        """
        return self.ask(lambda c: reading.report_at(c, packing.stamp(when)), None)

    def facts_at(self, when: datetime) -> Facts:
        """The facts of the host as they were, of the kinds that were known by then."""
        return self.ask(lambda c: reading.facts_at(c, packing.stamp(when)), {})

    def gone(self, kind: FactKind) -> dict[str, Value]:
        """What was there once and is there no more, by its name, as it was last."""
        return self.ask(lambda c: reading.gone(c, kind), {})

    def last_good(self, path: str) -> datetime | None:
        """Start of the newest full cycle in which a workflow was runnable; None if it never was."""
        found = self.ask(lambda c: reading.last_good(c, path), None)
        if found is not None:
            with suppress(ValueError):
                return packing.time_of(found)
        return None

    def content_at(self, path: str, when: datetime) -> str | None:
        """SHA-256 of a workflow as it was at a time, in hexadecimal; None if that is not known."""
        return self.ask(lambda c: reading.content_at(c, path, packing.stamp(when)), None)

    def began(self) -> datetime | None:
        """Start of the first cycle on record; None if there is none."""
        found = self.ask(reading.began, None)
        return None if found is None else packing.time_of(found)

    def cycles(self, since: datetime) -> list[CycleRow]:
        """The cycles from a time on, the newest first; of each day long ago one."""
        return self.ask(lambda c: reading.cycles(c, packing.stamp(since)), [])

    def ask(self, question: Callable[[Connection], T], otherwise: T) -> T:
        """What the database answers; ``otherwise`` where it cannot be asked."""
        return otherwise if self._database is None else self._database.read(question, otherwise)
