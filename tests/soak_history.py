"""What must hold of the two databases of a state folder, whatever became of the cycles there.

Each time, copies are looked at with what a cycle that was killed had begun: the next one meets them
as they were left.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import state_files
from comfywatchman.history import packing
from comfywatchman.history.store import History
from comfywatchman.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from comfywatchman.results import LastRun, Report

FILES: Final = (state_files.HISTORY, state_files.WORKFLOW_COPIES)
_NONE: Final = {
    "a full cycle lacks a part": """
        SELECT at FROM cycle WHERE complete AND
        (own IS NULL OR NOT EXISTS (SELECT 1 FROM frame WHERE frame.id = cycle.frame))""",
    "a state is of no workflow, or lacks what was found": """
        SELECT id FROM state WHERE NOT EXISTS (SELECT 1 FROM found WHERE found.id = state.found)
        OR NOT EXISTS (SELECT 1 FROM workflow WHERE workflow.id = state.workflow)""",
    "a state, an event or a fact is of no full cycle": """
        SELECT start FROM (SELECT since AS start FROM state UNION SELECT until FROM state
        UNION SELECT at FROM event UNION SELECT at FROM fact_change) WHERE start IS NOT NULL AND
        start NOT IN (SELECT at FROM cycle WHERE complete)""",
    "the last full cycle is another": """
        SELECT 1 WHERE (SELECT value FROM meta WHERE name = 'last_full') IS NOT
        (SELECT at FROM cycle WHERE complete ORDER BY id DESC LIMIT 1)""",
}
_NO_COPIES: Final = "SELECT digest FROM seen WHERE digest NOT IN (SELECT digest FROM content)"


class Witness:
    """Has seen the reports of a host, and tells what its history has not.

    Args:
        state: the state folder.
        aside: a folder for the copies.
    """

    def __init__(self, state: Path, aside: Path) -> None:
        self._state = state
        self._aside = aside
        self._reports: dict[datetime, Report] = {}
        self._unfinished: dict[datetime, Outcome] = {}
        self.events = 0

    def look(self, report: Report | None, last_run: LastRun | None, *, hit: bool) -> Iterator[str]:
        """What does not hold, after a cycle.

        Args:
            report: the last full one.
            last_run: the word of the last cycle, if it left one.
            hit: whether a cycle was killed since the last look.
        """
        copied = [name for name in FILES if (self._state / name).exists()]
        self._aside.mkdir()
        try:
            for name in copied:
                shutil.copy2(self._state / name, self._aside)
                if (journal := self._state / f"{name}-journal").exists():
                    shutil.copy2(journal, self._aside)
            for name in copied:
                yield from _whole(self._aside / name)
            with History.open(self._aside, days=1, copies_room=1, readonly=True) as history:
                yield from self._compared(history, report, last_run, hit=hit)
                yield from history.notes
        finally:
            shutil.rmtree(self._aside)

    def _compared(
        self, history: History, report: Report | None, last_run: LastRun | None, *, hit: bool
    ) -> Iterator[str]:
        told = bool(last_run and last_run.history)
        previous = history.previous()
        cycles = {row.started_at: row.outcome for row in history.cycles(_LONG_AGO)}
        if report is not None and report.started_at not in self._reports:
            self._reports[report.started_at] = report
            yield from _told_since(report, _done(history))
            if previous is None or previous.started_at != report.started_at:
                if not hit and not told:
                    yield "the last report is not in the history"
            elif report.changes is not None:
                yield from self._told_again(history, report)
        if previous is not None:
            of = self._reports.get(previous.started_at)
            verdicts = {path: state.verdict for path, state in previous.states.items()}
            if of is None:
                if not hit:  # else its rival's, which the killed one's has replaced
                    yield "the history holds a report that nobody has seen"
            elif any(verdicts.get(w.path) is not w.verdict for w in of.workflows):
                yield "the history holds other verdicts than its report"
            if previous.world() is None:
                yield "what its verdicts rest on is not kept"
        if last_run is not None and not last_run.paths and not told:
            self._unfinished[last_run.started_at] = last_run.outcome
        yield from self._on_record(cycles, last_run, hit=hit)

    def _told_again(self, history: History, report: Report) -> Iterator[str]:
        changes = report.changes
        assert changes is not None
        found = {event.at: event.changes for event in history.events()}.get(report.started_at)
        if changes.workflows or changes.host:
            self.events += 1
            if found is None or found.workflows != changes.workflows or found.host != changes.host:
                yield "the history tells of other changes than the report"
            elif {c.id for c in found.causes} != {c.id for c in changes.causes}:
                yield "the history tells of other causes than the report"

    def _on_record(
        self, cycles: dict[datetime, Outcome], last_run: LastRun | None, *, hit: bool
    ) -> Iterator[str]:
        """All that left a word are on record, but the last where it was killed."""
        for at, outcome in list(self._unfinished.items()):
            if at in cycles:
                del self._unfinished[at]
                if outcome is not Outcome.RUNNING and cycles[at] is not outcome:
                    yield f"a cycle that ended {outcome} is on record as {cycles[at]}"
            elif last_run is not None and at == last_run.started_at:
                if not hit:
                    yield f"a cycle that ended {outcome} is not on record"
            else:
                del self._unfinished[at]
                yield f"a cycle ({outcome}) never came on record"


def _done(history: History) -> list[datetime]:
    """The full cycles, the last that came on record first."""
    query = "SELECT at FROM cycle WHERE outcome = 'done' ORDER BY id DESC"
    return history.ask(lambda c: [packing.time_of(at) for (at,) in c.execute(query)], [])


def _told_since(report: Report, done: list[datetime]) -> Iterator[str]:
    """A report compares with the last one that is on record, so that nothing falls between.

    Of two cycles that began at once, the one that had to wait for the lock may have begun first.
    """
    older = done[done.index(report.started_at) + 1 :] if report.started_at in done else done
    before = older[0] if older else None
    since = report.changes.since if report.changes else None
    if since != before:
        yield f"the report compares with {since}, not with {before}"


def _whole(file: Path) -> Iterator[str]:
    with closing(sqlite3.connect(file)) as connection:
        for (found,) in connection.execute("PRAGMA integrity_check"):
            if found != "ok":
                yield f"{file.name}: {found}"
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if "cycle" in tables:
            for wrong, query in _NONE.items():
                if connection.execute(query).fetchone():
                    yield f"{file.name}: {wrong}"
            yield from _as_they_were(connection)
        if "seen" in tables and connection.execute(_NO_COPIES).fetchone():
            yield f"{file.name}: a version lacks its bytes"


def _as_they_were(connection: sqlite3.Connection) -> Iterator[str]:
    """What is kept by its digest still has it."""
    for table in ("found", "frame", "cause", "fact"):
        rows: Any = connection.execute(f"SELECT digest, content FROM {table}")
        for digest, content in rows:
            if packing.digest(packing.unpack(content)) != digest:
                yield f"{table}: another content than was kept"


_LONG_AGO: Final = packing.time_of(0)
