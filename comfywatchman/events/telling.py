"""What a cycle tells people: at most one message, of what is otherwise than they were told last.

Nothing here does I/O; the history is asked by :class:`Past`. What is told counts as told: the
message and :class:`Kept` are to be put on record together with the cycle.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from comfywatchman.events import since, words
from comfywatchman.events.kept import Kept, mark
from comfywatchman.events.message import Doubt, Message, Priority, Topic
from comfywatchman.report.changes import is_by_program
from comfywatchman.results import (
    RANK,
    AcceptanceState,
    CauseKind,
    ChangeKind,
    Outcome,
    Verdict,
    WorkflowChange,
)
from comfywatchman.settings import Reminders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from comfywatchman.events.quiet import Quiet
    from comfywatchman.events.words import Part
    from comfywatchman.history.records import CycleRow, Event
    from comfywatchman.results import (
        AcceptanceResult,
        Cause,
        Changes,
        Finding,
        Report,
        WorkflowReport,
    )

DAY: Final = timedelta(days=1)
SECOND_LOOK: Final = timedelta(minutes=1)
"""How long after a cycle that found most workflows worse the server is looked at again."""
FLAPPING: Final = 3
"""Changes within a day from which on a workflow is flapping."""
_MASS: Final = 5
"""Workflows that got worse at once, from which on the server itself may be the cause."""
_DOUBTED_TYPES: Final = 5

_ENDED: Final = (AcceptanceState.EXPIRED, AcceptanceState.VOID)
_BAD: Final = (Verdict.BROKEN, Verdict.PARTIAL)


class Past(Protocol):
    """What the history knows of the cycles before."""

    def last_full(self) -> datetime | None:
        """Start of the last full cycle, UTC; None if there was none."""

    def cycles(self, since: datetime) -> Sequence[CycleRow]:
        """The cycles from a time on, the newest first."""

    def events(self, since: datetime) -> Sequence[Event]:
        """What they found changed, the newest first."""

    def report_at(self, when: datetime) -> Report | None:
        """The report as it was at a time."""

    def was_withdrawn(self, message: str) -> bool:
        """Whether a second look showed that a message was not true."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """How a cycle over everything ended.

    Attributes:
        outcome: done, skipped or failed.
        started_at: its start, UTC.
        reason: why it was skipped or failed.
        report: of one that is done, its report.
    """

    outcome: Outcome
    started_at: datetime
    reason: str
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How things are told.

    Attributes:
        host: name of the host and, in brackets, of the instance if it has one.
        report: where the report is.
        reminders: how often it is told again that something is down.
        quiet: the quiet that holds; None if none does.
    """

    host: str
    report: str
    reminders: Reminders = Reminders.NONE
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a cycle tells.

    Attributes:
        message: None if all is as people know it.
        kept: what the next cycle has to know.
    """

    message: Message | None
    kept: Kept


def tell(cycle: Cycle, past: Past, kept: Kept, way: Way) -> Told:
    """Find out what a cycle tells.

    Args:
        cycle: how it ended; it is not on record yet.
        past: the cycles before it.
        kept: what people have been told.
        way: how things are told.
    """
    return _Teller(cycle, past, kept, way).tell()


@dataclass
class _Teller:
    """One cycle that is told."""

    cycle: Cycle
    past: Past
    kept: Kept
    way: Way
    parts: list[Part] = field(default_factory=list)
    doubt: Doubt | None = None

    def tell(self) -> Told:
        report = self.cycle.report
        if report is not None:
            kept = self._done(report)
        elif self.way.quiet is not None:
            kept = self.kept
        elif self.cycle.outcome is Outcome.FAILED:
            kept = self._failed()
        else:
            kept = self._skipped()
        message = self._message()
        if message is not None and message.doubt is not None:
            kept = kept.model_copy(update={"doubted": message.id})
        return Told(message, kept)

    # A cycle that is not done

    def _failed(self) -> Kept:
        before = next(iter(self.past.cycles(self.cycle.started_at - 30 * DAY)), None)
        twice = before is not None and before.outcome in (Outcome.FAILED, Outcome.RUNNING)
        if self.kept.failing or not twice:
            return self.kept
        self.parts.append(words.failing(self.cycle.reason))
        return self.kept.model_copy(update={"failing": True})

    def _skipped(self) -> Kept:
        now = self.cycle.started_at
        told = self.kept.skipped_at
        if told is not None and now - told < DAY:
            return self.kept
        last = self.past.last_full()
        cycles = self.past.cycles(last or now - 30 * DAY)
        first = next((c for c in reversed(cycles) if last is None or c.started_at > last), None)
        if first is None or now - first.started_at < DAY:
            return self.kept
        self.parts.append(words.always_skipped(last, self.cycle.reason))
        return self.kept.model_copy(update={"skipped_at": now})

    # A cycle that is done

    def _done(self, report: Report) -> Kept:
        kept, now = self.kept, self.cycle.started_at
        untrue = kept.doubted is not None and self.past.was_withdrawn(kept.doubted)
        begun = kept.since if untrue or kept.doubted is None else None
        if self.way.quiet is not None:
            begun = begun or self.past.last_full()
            return kept.model_copy(update={"since": begun, "doubted": None})
        if not kept.summarized:
            self.parts.append(words.summary(report))
        changes = self._changes(report, begun) if kept.summarized else None
        down = [w for w in report.workflows if w.is_bad and w.accepted is None]
        counted_from = kept.counted_from if begun is None else now
        flapping = self._flapping(report, changes, counted_from)
        told = {
            "summarized": True,
            "since": None,
            "doubted": None,
            "counted_from": counted_from,
            "failing": False,
            "skipped_at": None,
            "flapping": flapping,
            "shrunk": self._shrunk(report),
            "not_loaded": self._not_loaded(report),
            "acceptances": self._acceptances(report.acceptances),
        }
        if kept.failing or kept.skipped_at is not None:
            self.parts.append(words.done_again())
        if not kept.summarized:
            del self.parts[1:]
        if self.doubt is not None:
            told["since"] = begun or self.past.last_full()
        return kept.model_copy(update={**told, **self._reminder(down)})

    def _changes(self, report: Report, begun: datetime | None) -> Changes | None:
        if begun is None:
            return report.changes
        before = self.past.report_at(begun)
        if before is None:
            return report.changes
        return since.net(before, report, self.past.events(begun))

    def _flapping(
        self, report: Report, changes: Changes | None, counted_from: datetime | None
    ) -> dict[str, Verdict]:
        """Tell of what changed, but for what flaps and is known to.

        Returns:
            What flaps now.
        """
        if changes is None:
            return {}
        reports = {w.path: w for w in report.workflows}
        silent = {w.path for w in report.workflows if w.accepted is not None}
        silent |= {
            a.workflow
            for a in report.acceptances
            if a.state is AcceptanceState.UNUSED and a.workflow is not None
        }
        causes = {cause.id: cause for cause in changes.causes}
        ours = [c for c in changes.workflows if is_by_program(c, causes)]
        others = [
            c for c in changes.workflows if c.path not in silent and not is_by_program(c, causes)
        ]
        counts, known = self._counts(others, report, counted_from), self.kept.flapping
        newly = [
            c
            for c in others
            if counts[c.path] >= FLAPPING and c.path in reports and mark(c.path) not in known
        ]
        flaps = {path for path in counts if path in reports and mark(path) in known}
        flaps |= {c.path for c in newly}
        settled = [
            change
            for path, workflow in reports.items()
            if path not in flaps and (told := known.get(mark(path))) is not None
            for change in _settled(workflow, told)
        ]
        rest = [c for c in others if c.path not in flaps]
        self._tell_changes(report, [*rest, *settled], causes)
        if newly:
            self.parts.append(words.flapping(newly, counts))
        if ours:
            texts = {cause.text for cause in changes.causes if cause.kind is CauseKind.PROGRAM}
            self.parts.append(words.upgraded(ours, sorted(texts)))
        return {mark(path): known.get(mark(path), reports[path].verdict) for path in flaps}

    def _counts(
        self, now: Iterable[WorkflowChange], report: Report, counted_from: datetime | None
    ) -> Counter[str]:
        """How often each workflow got worse or was mended within a day, this cycle included."""
        first = report.started_at - DAY
        if counted_from is not None:
            first = max(first, counted_from)
        counts = Counter(c.path for c in now if _rose_or_fell(c))
        for event in self.past.events(first):
            causes = {cause.id: cause for cause in event.changes.causes}
            counts.update(
                c.path
                for c in event.changes.workflows
                if _rose_or_fell(c) and not is_by_program(c, causes)
            )
        return counts

    def _tell_changes(
        self, report: Report, changes: Sequence[WorkflowChange], causes: Mapping[str, Cause]
    ) -> None:
        worse = [c for c in changes if c.kind is ChangeKind.WORSE]
        mended = [c for c in changes if c.kind is ChangeKind.MENDED]
        new = [c for c in changes if c.kind is ChangeKind.NEW and (c.after in _BAD or c.will_fail)]
        total = report.summary.total
        reports = {w.path: w for w in report.workflows}
        if len(worse) >= _MASS and 2 * len(worse) > total:
            lost = _lost(worse, reports, causes)
            self.parts.append(words.server_wide(worse, total, lost, causes))
            if lost:
                due = self.cycle.started_at + timedelta(seconds=report.duration_s) + SECOND_LOOK
                self.doubt = Doubt(not_before=due, node_types=tuple(lost[:_DOUBTED_TYPES]))
        elif worse:
            self.parts.append(words.changed(Topic.WORSE, worse, causes, reports))
        if new:
            self.parts.append(words.changed(Topic.NEW_BROKEN, new, causes, reports))
        if mended:
            self.parts.append(words.changed(Topic.MENDED, mended, causes, reports))

    def _shrunk(self, report: Report) -> frozenset[str]:
        found = {
            mark(workflow.path): workflow
            for workflow in report.workflows
            if workflow.accepted is None and _of_code(workflow, "workflow_shrunk")
        }
        if newly := [found[each] for each in found.keys() - self.kept.shrunk]:
            self.parts.append(words.shrunk(sorted(newly, key=lambda w: w.name)))
        return frozenset(found)

    def _not_loaded(self, report: Report) -> frozenset[str]:
        found = {
            mark(finding.subject.name): finding
            for workflow in report.workflows
            for finding in _of_code(workflow, "pack_restart_pending")
        }
        if newly := [found[each] for each in found.keys() - self.kept.not_loaded]:
            self.parts.append(words.not_loaded(sorted(newly, key=lambda f: f.subject.name)))
        return frozenset(found)

    def _acceptances(self, results: Collection[AcceptanceResult]) -> frozenset[str]:
        found = {
            mark(each.id, each.state, each.workflow): each
            for each in results
            if each.state in _ENDED
        }
        again = [
            each
            for each in results
            if each.state is AcceptanceState.APPLIED
            and any(mark(each.id, s, each.workflow) in self.kept.acceptances for s in _ENDED)
        ]
        if again:
            self.parts.append(words.acceptances_again(again))
        if newly := [found[each] for each in found if each not in self.kept.acceptances]:
            self.parts.append(words.acceptances(newly))
        return frozenset(found)

    def _reminder(self, down: Collection[WorkflowReport]) -> dict[str, object]:
        """Say again that something is down, where that is wanted and nothing else says it."""
        now = self.cycle.started_at
        told, count = self.kept.reminded_at, self.kept.reminders
        if not down:
            return {"reminded_at": None, "reminders": 0}
        if told is None or any(p.topic in (Topic.WORSE, Topic.NEW_BROKEN) for p in self.parts):
            return {"reminded_at": now, "reminders": 0}
        pause = DAY * 2 ** min(count, 10) if self.way.reminders is Reminders.DIMINISHING else DAY
        if self.way.reminders is Reminders.NONE or now - told < pause:
            return {}
        self.parts.append(words.reminder(down))
        return {"reminded_at": now, "reminders": count + 1}

    def _message(self) -> Message | None:
        parts = sorted(self.parts, key=lambda part: words.ORDER.index(part.topic))
        if not parts:
            return None
        now, host = self.cycle.started_at, self.way.host
        topics = tuple(dict.fromkeys(part.topic for part in parts))
        told = "\n".join([now.isoformat(), *topics, *(part.headline for part in parts)])
        name = hashlib.blake2b(told.encode(errors="surrogatepass"), digest_size=16).hexdigest()
        return Message(
            id=name,
            at=now,
            host=host,
            topics=topics,
            subject=words.subject(host, parts),
            body=words.body(parts, self.cycle.report, self.way.report),
            priority=Priority.WARNING if any(p.warns for p in parts) else Priority.NOTICE,
            report=self.way.report,
            doubt=self.doubt,
        )


def _rose_or_fell(change: WorkflowChange) -> bool:
    return change.kind in (ChangeKind.WORSE, ChangeKind.MENDED)


def _settled(workflow: WorkflowReport, told: Verdict) -> Iterator[WorkflowChange]:
    """What a workflow came to that was flapping, if that is not what was told of it."""
    now = workflow.verdict
    if now is told or now not in RANK or told not in RANK or workflow.accepted is not None:
        return
    kind = ChangeKind.MENDED if RANK[now] > RANK[told] else ChangeKind.WORSE
    yield WorkflowChange(path=workflow.path, name=workflow.name, kind=kind, before=told, after=now)


def _lost(
    worse: Sequence[WorkflowChange],
    reports: Mapping[str, WorkflowReport],
    causes: Mapping[str, Cause],
) -> list[str]:
    """The node types that most of the workflows lost, the one that most lost first.

    Empty where it is not node types that the server lost.
    """
    counts: Counter[str] = Counter()
    lacking = 0
    for change in worse:
        found = _of_code(reports[change.path], "missing_node_type")
        missing = {finding.node_type for finding in found if finding.node_type}
        because = [causes[each] for each in change.causes if each in causes]
        named = {each for cause in because for each in cause.node_types}
        if missing:
            lacking += 1
            counts.update(sorted(missing & named or missing))

    return [name for name, _ in counts.most_common()] if 2 * lacking > len(worse) else []


def _of_code(workflow: WorkflowReport, code: str) -> list[Finding]:
    return [finding for finding in workflow.findings if finding.code == code]
