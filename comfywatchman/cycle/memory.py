"""What a cycle knows of the ones before it, and what it leaves for the next.

The report is the truth and comes first: nothing here takes it along when it fails. What fails is
said in a sentence, in the journal, in ``last-run.json`` and in the next report.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from comfywatchman import __version__
from comfywatchman.comfyui.client import ComfyUIError
from comfywatchman.cycle import damage
from comfywatchman.escape import visible
from comfywatchman.events import outbox, quiet, telling
from comfywatchman.events.kept import Kept
from comfywatchman.history import cause, comparison, wording
from comfywatchman.history.environment import not_loaded, reading
from comfywatchman.history.environment.sources import Sources
from comfywatchman.history.facts import differences
from comfywatchman.history.records import CycleRow, Full, state_key
from comfywatchman.history.schema import FileNames, schema_digest
from comfywatchman.judging import cache
from comfywatchman.judging.identity import identified
from comfywatchman.modelfiles import marking
from comfywatchman.report import past
from comfywatchman.results import ChangeKind, Outcome
from comfywatchman.time_limit import Blind, Budget
from comfywatchman.workflow import shrunk
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from sqlite3 import Connection

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.files import Folders
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.model_files import Listing
    from comfywatchman.comfyui.provenance.knowledge import Knowledge
    from comfywatchman.history.copies import Copies
    from comfywatchman.history.facts import Environment, FactChange
    from comfywatchman.history.records import Event, State
    from comfywatchman.history.store import History, Previous
    from comfywatchman.history.world import World
    from comfywatchman.results import (
        Changes,
        LastRun,
        Milestone,
        Notices,
        Report,
        RestartPending,
        WorkflowReport,
    )
    from comfywatchman.settings import Settings
    from comfywatchman.workflow.find import Workflow

_LOOKS_BACK: Final = timedelta(weeks=past.WEEKS)
MILESTONES: Final = 100
"""Most cycles of the last weeks that a report lists."""
_LOOKING: Final = 2.0
"""Seconds that finding the server among the processes may take."""
_EXPLAINING: Final = 0.1
"""The part of a cycle's time that finding out causes may take."""
_COPYING: Final = 0.1
"""The part of a cycle's time that making copies may take; the rest waits for the next."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a cycle found of the workflows, for comparison with what others found.

    Attributes:
        reports: the verdicts.
        workflows: the files, in the same order.
        unseen: folders and files that could not be seen, as reports name them.
        left_out: paths of the workflows that an exclusion names.
        files: how the model files are; None if that is not asked.
    """

    reports: Sequence[WorkflowReport]
    workflows: Sequence[Workflow]
    unseen: Collection[str] = ()
    left_out: Collection[str] = ()
    files: damage.Now | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the history adds to a report.

    Attributes:
        workflows: the verdicts, with their past.
        changes: what changed; None if there is nothing to compare with.
        timeline: the cycles of the last weeks that found something changed.
        restart_pending: packs that the server has not loaded as they are on the disk.
        unseen: paths of workflows that may be there, and could not be looked for.
    """

    workflows: list[WorkflowReport]
    changes: Changes | None
    timeline: list[Milestone]
    restart_pending: list[RestartPending] = field(default_factory=list)
    unseen: frozenset[str] = frozenset()


class Memory:
    """The history as one cycle uses it. To be used by one thread at a time.

    Args:
        history: opened for this cycle.
        settings: the settings.
        started_at: the start of the cycle, UTC.
        channels: by which people are told.
    """

    def __init__(
        self,
        history: History,
        settings: Settings,
        started_at: datetime,
        channels: Sequence[str] = (),
    ) -> None:
        self._history = history
        self._settings = settings
        self._started_at = started_at
        self._channels = channels
        self._told: telling.Told | None = None
        self._keys: dict[str, tuple[WorkflowReport, str]] = {}

    @property
    def notes(self) -> list[str]:
        """A sentence for each thing that a person should be told of the history's files."""
        return self._history.notes

    @property
    def trouble(self) -> str:
        """Why there is nothing to compare with, where there should be; else empty."""
        return "; ".join(self.notes) if self._previous is None else ""

    @cached_property
    def _previous(self) -> Previous | None:
        return self._history.previous()

    def unchanged(self, reports: Iterable[WorkflowReport]) -> dict[str, datetime]:
        """Of the workflows that are as the last full cycle found them, since when they are.

        Those that were not looked at for damaged model files yet are compared without that.

        Returns:
            Times in UTC, by path.
        """
        states = self._previous.states if self._previous is not None else {}
        return {
            report.path: state.since
            for report in reports
            if (state := states.get(report.path)) is not None
            and (state.key == self._key(report) or self._was_judged_so(report, state))
        }

    def _was_judged_so(self, report: WorkflowReport, state: State) -> bool:
        """Whether what was found then, but for damaged model files, is what is found now."""
        if (report.verdict, report.content_digest) != (state.verdict, state.content_digest):
            return False
        was = self._previous.report(report.path) if self._previous is not None else None
        return was is not None and state_key(marking.unmarked(was)) == self._key(report)

    def _key(self, report: WorkflowReport) -> str:
        """Its :func:`state_key`, made once."""
        of, key = self._keys.get(report.path, (None, ""))
        if of is not report:
            key = state_key(report)
            self._keys[report.path] = report, key
        return key

    def environment(
        self,
        catalog: Catalog,
        inventory: Inventory,
        knowledge: Knowledge,
        folders: Folders | None,
        model_files: Listing,
        stats: Mapping[str, Any],
    ) -> Environment:
        """Look at what the host is made of.

        Args:
            catalog: the node types of the server.
            inventory: its files.
            knowledge: what was learned of its packs.
            folders: its folders, if they are on this host.
            model_files: what is seen of its model files.
            stats: its answer of ``/system_stats``.
        """
        files = FileNames(inventory)
        return reading.read(
            Sources(
                system_stats=stats,
                model_files=model_files,
                comfyui_dir=self._settings.comfyui_dir,
                folders=folders,
                knowledge=knowledge,
                catalog=catalog,
                inventory=inventory,
                digest=lambda declaration: schema_digest(declaration, files),
                settings=self._limits(),
                program={"version": __version__, "code": cache.program()[:16]},
            )
        )

    def compare(
        self, seen: Seen, environment: Environment, world: World, pending: list[RestartPending]
    ) -> Remembered:
        """Find out what has become of the workflows since the last full cycle, and why."""
        previous = self._previous
        reports = self._guarded(seen, previous)
        if previous is None:
            first = [comparison.with_past(r, None, [], self._started_at) for r in reports]
            return Remembered(first, None, [], pending)
        keys = {report.path: self._key(report) for report in reports}
        compared = comparison.compare(
            previous, reports, keys, unseen=seen.unseen, left_out=seen.left_out
        )
        if seen.files is not None:
            compared, reports = _held(compared, reports, seen.files)
        facts = list(differences(previous.facts(), environment.facts))
        explained = self._explained(seen, compared, previous, facts, world)
        by_path = {pair.now.path: pair.state for pair in compared.pairs if pair.now is not None}
        since = self._started_at - _LOOKS_BACK
        verdicts = self._history.past(since)
        dated = [
            comparison.with_past(
                report, by_path.get(report.path), verdicts.get(report.path, ()), self._started_at
            )
            for report in reports
        ]
        changes = comparison.changes(compared, explained, facts, environment.blind.values())
        timeline = self._history.timeline(since, MILESTONES)
        return Remembered(dated, changes, timeline, pending, compared.unseen)

    def restart_pending(
        self,
        environment: Environment,
        knowledge: Knowledge,
        reports: Sequence[WorkflowReport],
        folders: Folders | None,
        argv: Sequence[str],
    ) -> list[RestartPending]:
        """The packs that are others on the disk than the server has loaded.

        Args:
            environment: the facts of the host.
            knowledge: what was learned of the server's packs.
            reports: the verdicts.
            folders: the server's folders, if they are on this host.
            argv: the command line that it was started with.
        """
        since = None
        if knowledge.at_start is None and folders is not None:
            with suppress(Blind):
                since = not_loaded.started(argv, Budget(_LOOKING))
        found = not_loaded.not_loaded(
            environment, knowledge, reports, folders.custom_nodes if folders else None, since
        )
        return [wording.of_pending(pack) for pack in found]

    def remember(
        self,
        report: Report,
        seen: Seen,
        environment: Environment,
        world: World,
        unseen: frozenset[str],
    ) -> None:
        """Put a full cycle on record, and keep the files as they were.

        Args:
            report: what it found.
            seen: the workflows.
            environment: the facts of the host.
            world: what the verdicts rest on.
            unseen: see :class:`Remembered`.

        Raises:
            HistoryError: it could not be put on record.
        """
        self._copy(seen)
        row = CycleRow(
            self._started_at, report.duration_s, Outcome.DONE, report.reason, __version__
        )
        full = Full(report, environment, world, cache.program(), unseen)
        self._history.remember(row, full, self._put)

    def remember_unfinished(self, outcome: Outcome, reason: str, duration_s: float) -> None:
        """Put a cycle on record that was skipped or failed.

        Raises:
            HistoryError: it could not be.
        """
        row = CycleRow(self._started_at, duration_s, outcome, reason, __version__)
        self._history.remember(row, None, self._put)

    def remember_interrupted(self, last_run: LastRun) -> None:
        """Put the cycle before on record, if it left no other word of itself.

        Raises:
            HistoryError: it could not be.
        """
        self._history.record_interrupted(last_run)

    def notices(self) -> Notices | None:
        """What people have been told before this cycle; None where nobody is to be told."""
        return self._history.ask(outbox.notices, None) if self._channels else None

    def tell(self, outcome: Outcome, reason: str, report: Report | None = None) -> None:
        """Find out what this cycle tells people; it is put on record with the cycle itself.

        Args:
            outcome: done, skipped or failed.
            reason: why it was skipped or failed.
            report: of one that is done, what it found.
        """
        self._told = None
        if not self._channels:
            return
        settings, name = self._settings, socket.gethostname()
        host = f"{name} ({settings.instance})" if settings.instance else name
        way = telling.Way(
            visible(host),
            settings.report_url or f"{visible(host)}: comfywatchman report",
            settings.reminders,
            quiet.read(settings.resolved_state_dir, self._started_at),
        )
        kept = self._history.ask(outbox.kept, Kept())
        cycle = telling.Cycle(outcome, self._started_at, reason, report)
        self._told = telling.tell(cycle, _Past(self._history, self._previous), kept, way)

    def _put(self, connection: Connection) -> None:
        if self._told is not None:
            outbox.keep(connection, self._told.kept)
            if self._told.message is not None:
                outbox.put(connection, self._told.message, self._channels)

    def _limits(self) -> dict[str, str | int]:
        settings = self._settings
        return {
            "max_workflow_depth": settings.max_workflow_depth,
            "max_workflow_size": int(settings.max_workflow_size),
            "ask_server": settings.ask_server.value,
        }

    def _explained(
        self,
        seen: Seen,
        compared: comparison.Comparison,
        previous: Previous,
        facts: Sequence[FactChange],
        world: World,
    ) -> cause.Explained:
        by_kind: dict[ChangeKind | None, list[cause.Worse]] = defaultdict(list)
        for pair in compared.pairs:
            if pair.now is not None and pair.was is not None:
                by_kind[pair.kind].append(cause.Worse(pair.now, pair.was))
        better = by_kind[ChangeKind.MENDED]
        damaged, worse = damage.explained(by_kind[ChangeKind.WORSE])
        whole = damage.mended(better, seen.files) if seen.files else cause.Explained()
        known = damaged.with_more(whole).with_more(cause.mended(better, facts))
        if not worse:
            return known
        explained = cause.explain(
            worse,
            previous.world(),
            world,
            facts,
            copies=self._content(seen),
            program_changed=previous.program != cache.program(),
            seconds=_EXPLAINING * self._settings.cycle_time_limit,
        )
        return known.with_more(explained)

    def _guarded(self, seen: Seen, previous: Previous | None) -> list[WorkflowReport]:
        """The reports, with a word on each file that has lost most of its workflow."""
        copies = self._history.copies
        marks = copies.former(self._started_at - shrunk.LASTS)
        states = previous.states if previous is not None else {}
        content = self._content(seen)
        reports = list(seen.reports)
        for position, report in enumerate(reports):
            digest = report.content_digest
            found = [marks[report.path]] if report.path in marks else []
            state = states.get(report.path)
            if state and state.content_digest and state.content_digest != digest:
                count = copies.nodes(state.content_digest)
                if count is not None:
                    found.append(shrunk.Mark(self._started_at, count, state.content_digest))
            if not found or digest is None:
                continue
            mark = max(found, key=lambda each: each.nodes)
            now = copies.nodes(digest)
            if now is None and (raw := content(digest)) is not None:
                now = shrunk.nodes(raw)
            if now is not None and shrunk.has_shrunk(mark.nodes, now):
                told = [*report.findings, shrunk.finding(mark, now, report.path)]
                reports[position] = identified(report.model_copy(update={"findings": told}))
        return reports

    def _copy(self, seen: Seen) -> None:
        """Keep the content of each workflow that is not kept yet, as far as there is time."""
        copies = self._history.copies
        ends = time.monotonic() + _COPYING * self._settings.cycle_time_limit
        content = self._content(seen)
        for report in seen.reports:
            if time.monotonic() > ends:
                break
            digest = report.content_digest
            if digest is None or copies.has(digest):
                continue
            raw = content(digest)
            if raw is not None:
                copies.put(report.path, digest, raw)

    def _content(self, seen: Seen) -> _Content:
        return _Content(seen, self._history.copies, int(self._settings.max_workflow_size))


@dataclass(frozen=True, slots=True)
class _Past:
    """The history, as far as what is told rests on it."""

    _history: History
    _previous: Previous | None

    def last_full(self) -> datetime | None:
        return None if self._previous is None else self._previous.started_at

    def cycles(self, since: datetime) -> Sequence[CycleRow]:
        return self._history.cycles(since)

    def events(self, since: datetime) -> Sequence[Event]:
        return self._history.events(since)

    def report_at(self, when: datetime) -> Report | None:
        return self._history.report_at(when)

    def was_withdrawn(self, message: str) -> bool:
        return self._history.ask(lambda c: outbox.was_withdrawn(c, message), False)


class _Content:
    """The content of workflows by its digest: as it is there now, else as it was kept."""

    def __init__(self, seen: Seen, copies: Copies, max_bytes: int) -> None:
        self._copies = copies
        self._max_bytes = max_bytes
        self._now = {
            report.content_digest: workflow
            for report, workflow in zip(seen.reports, seen.workflows, strict=True)
            if report.content_digest is not None
        }

    def __call__(self, digest: str) -> bytes | None:
        kept = self._copies.get(digest)
        if kept is not None:
            return kept
        workflow = self._now.get(digest)
        with suppress(WorkflowError, ComfyUIError):
            raw = workflow.read(self._max_bytes) if workflow is not None else None
            if raw is not None and hashlib.sha256(raw).hexdigest() == digest:
                return raw
        return None


def _held(
    compared: comparison.Comparison, reports: Sequence[WorkflowReport], files: damage.Now
) -> tuple[comparison.Comparison, list[WorkflowReport]]:
    """The same, where damage stays until its file is seen to be whole."""
    pairs = list(compared.pairs)
    changed: dict[str, WorkflowReport] = {}
    for position, pair in enumerate(pairs):
        if pair.now is None or pair.was is None or not pair.was.will_fail:
            continue
        now = damage.held(pair.now, pair.was, files)
        if now is not pair.now:
            changed[now.path] = now
            kind = comparison.kind_of_change(now, pair.was)
            pairs[position] = replace(pair, now=now, kind=kind)
    return replace(compared, pairs=pairs), [changed.get(r.path, r) for r in reports]
