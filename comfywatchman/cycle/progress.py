"""What a cycle says while it runs: its events, and how a terminal and the journal show them."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from comfywatchman import moments, streams
from comfywatchman.escape import visible
from comfywatchman.report.accepted import in_words
from comfywatchman.report.changes import KIND_WORDS, account, effect
from comfywatchman.report.digest import READING_ORDER, in_short, plural
from comfywatchman.results import ChangeKind, GateAnswer, Verdict, WorkflowReport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rich.progress import Progress, TaskID

    from comfywatchman.report.changes import Group
    from comfywatchman.results import Acceptance, Changes


@dataclass(frozen=True, slots=True)
class GateAnswered:
    """A gate probe has answered."""

    answer: GateAnswer


@dataclass(frozen=True, slots=True)
class Noted:
    """Something worth a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Alarmed:
    """Something that a person must see at once."""

    text: str


@dataclass(frozen=True, slots=True)
class ReadingBegins:
    """Workflows are read from the server: so many of those that are saved there."""

    count: int
    of: int


@dataclass(frozen=True, slots=True)
class WasRead:
    """One more of them is read."""


@dataclass(frozen=True, slots=True)
class WorkflowsFound:
    """Judging begins."""

    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Some more workflows have their verdicts.

    Attributes:
        workflows: what was found of each.
        unchanged: by path, of those of which the last full cycle found just the same, since when
            they have their verdict; empty without a history.
        accepted: by path, of those that are accepted as they are, by what.
    """

    workflows: list[WorkflowReport]
    unchanged: Mapping[str, datetime] = field(default_factory=dict)
    accepted: Mapping[str, Acceptance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WillFail:
    """Workflows that the server would take will fail, for a model file that is damaged.

    Attributes:
        workflows: what was found of each.
        unchanged: as of :class:`Judged`.
        accepted: likewise.
    """

    workflows: list[WorkflowReport]
    unchanged: Mapping[str, datetime] = field(default_factory=dict)
    accepted: Mapping[str, Acceptance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Compared:
    """It is known what changed since the last full cycle, and why. Without one there is no such.

    Attributes:
        changes: what changed.
        accepted: paths of the workflows that are accepted as they are.
    """

    changes: Changes
    accepted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """The cycle is over."""

    outcome: str
    reason: str


_WARNING, _NOTICE, _INFO = 4, 5, 6
_DEBUG = 7
"""The journal keeps such a line; a log file is better without."""
_HOST_LIMIT = 5
"""Changes of the host named in one line; the report has more."""
_LEVELS = {
    Verdict.BROKEN: _WARNING,
    Verdict.PARTIAL: _WARNING,
    Verdict.UNKNOWN: _NOTICE,
    Verdict.RUNNABLE: _DEBUG,
}

Event = (
    GateAnswered
    | Noted
    | Alarmed
    | ReadingBegins
    | WasRead
    | WorkflowsFound
    | Judged
    | WillFail
    | Compared
    | Ended
)


class Listener(Protocol):
    """Shows events as they come."""

    def __call__(self, event: Event) -> None:
        """Show one event."""


class Lines:
    """Plain lines, for logs.

    Args:
        stream: where they go.
        priorities: whether each line starts with its priority as sd-daemon(3) says (``<6>``), so
            that ``journalctl -p warning`` finds what matters.
    """

    def __init__(self, stream: TextIO, *, priorities: bool) -> None:
        self._stream = stream
        self._priorities = priorities
        self._unchanged: Counter[Verdict] = Counter()

    def __call__(self, event: Event) -> None:
        """Write the event's line."""
        match event:
            case GateAnswered(answer):
                self._say(6 if answer.ok else 5, f"gate {answer.name}: {answer.reason}")
            case Noted(text):
                self._say(6, text)
            case Alarmed(text):
                self._say(3, f"ALARM: {text}")
            case ReadingBegins(count, of):
                self._say(6, f"reading {count:,} of {of:,} workflows from the server")
            case WorkflowsFound(count):
                self._say(6, f"judging {count:,} saved workflows")
            case WasRead():
                pass
            case Judged(workflows, unchanged, accepted):
                for workflow in workflows:
                    path = workflow.path
                    self._judged(workflow, unchanged.get(path), accepted.get(path))
            case WillFail(workflows, unchanged, accepted):
                for workflow in workflows:
                    path = workflow.path
                    self._will_fail(workflow, accepted.get(path), known=path in unchanged)
            case Compared(changes, accepted_paths):
                self._compared(changes, accepted_paths)
            case Ended(outcome, reason):
                self._say(3 if outcome == "failed" else 5, f"cycle {outcome}: {reason}")

    def _judged(
        self, workflow: WorkflowReport, since: datetime | None, acceptance: Acceptance | None
    ) -> None:
        verdict = str(workflow.verdict)
        level = _LEVELS[workflow.verdict] if acceptance is None else _INFO
        if since is not None:
            self._unchanged[workflow.verdict] += 1
            verdict = f"still {verdict} since {moments.shown(since)}"
            level = _DEBUG
        if workflow.verdict is Verdict.RUNNABLE:
            self._say(level, f"{verdict}: {workflow.name}")
            return
        shown = workflow.errors or workflow.findings
        what = in_short(workflow) or "; ".join(workflow.not_checked)
        fix = f". {shown[0].fix}" if shown and shown[0].fix else ""
        if acceptance is not None:
            fix = f"; {in_words(acceptance)}"
        self._say(level, f"{verdict}: {workflow.name}: {what}{fix}")

    def _will_fail(
        self, workflow: WorkflowReport, acceptance: Acceptance | None, *, known: bool
    ) -> None:
        error = workflow.errors[-1]
        fix = f". {error.fix}" if error.fix else ""
        level = _DEBUG if known else _WARNING
        if acceptance is not None:
            level, fix = _DEBUG if known else _INFO, f"; {in_words(acceptance)}"
        still = "still will fail" if known else "will fail"
        self._say(level, f"{still}: {workflow.name}: {error.message}{fix}")

    def _compared(self, changes: Changes, accepted: frozenset[str]) -> None:
        """Say what changed: each cause with its workflows, and each workflow with its causes."""
        told = account(changes)
        if told.nothing:
            self._say(_INFO, f"{told.quiet[0].lower()}{told.quiet[1:]}")
        for kind, groups in told.groups:
            level = _WARNING if kind is ChangeKind.WORSE else _NOTICE
            for group in groups:
                self._group(level, KIND_WORDS[kind], group, accepted)
        for group in told.by_program:
            self._group(_NOTICE, "judged otherwise", group, accepted)
        listed_changes, left_out = told.host
        if number := len(listed_changes) + left_out:
            texts = "; ".join(change.text for change in listed_changes[:_HOST_LIMIT])
            more = f"; and {number - _HOST_LIMIT:,} more" if number > _HOST_LIMIT else ""
            self._say(_INFO, f"{plural(number, 'change')} on the host: {texts}{more}")
        for sentence in told.not_known:
            self._say(_DEBUG, f"not compared: {sentence}")
        if self._unchanged:
            counts = [(self._unchanged[v], v) for v in READING_ORDER if self._unchanged[v]]
            rest = ", ".join(f"{number:,} {verdict}" for number, verdict in counts)
            self._say(_INFO, f"as before: {rest}")

    def _group(self, level: int, kind: str, group: Group, accepted: frozenset[str]) -> None:
        whole = all(change.path in accepted for change in group.workflows)
        self._say(_INFO if whole else level, f"{group.text}: {group.names}")
        for change in group.workflows:
            fell_or_rose = change.before not in (None, change.after)
            was = f" (was {change.before})" if fell_or_rose else ""
            told = f"{kind}: {change.name}: {effect(change)}{was}{group.why}"
            if change.path in accepted:
                self._say(_INFO, f"{told}; accepted")
            else:
                self._say(level, told)

    def _say(self, priority: int, text: str) -> None:
        if priority == _DEBUG and not self._priorities:
            return
        prefix = f"<{priority}>" if self._priorities else ""
        line = streams.encodable(f"{prefix}{visible(text)}\n", self._stream)
        with suppress(OSError):  # a log that is full or gone ends no cycle
            self._stream.write(line)
            self._stream.flush()


class Bar:
    """A progress bar on a terminal; the report that follows says the rest."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(file=stream),
            transient=True,
        )
        self._task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        """Move the bar."""
        match event:
            case ReadingBegins(count, _):
                self._begin("Reading workflows from the server", count)
            case WorkflowsFound(count):
                self._begin("Judging saved workflows", count)
            case WasRead() if self._task is not None:
                self._progress.advance(self._task)
            case Judged(workflows) if self._task is not None:
                self._progress.advance(self._task, len(workflows))
            case Ended():
                self._progress.stop()
            case _:
                pass

    def _begin(self, what: str, total: int) -> None:
        self._progress.start()
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(what, total=total)


def listener() -> Listener:
    """Choose how this process shows progress, on standard error."""
    if streams.under_journal(sys.stderr):
        return Lines(sys.stderr, priorities=True)
    if sys.stderr.isatty():
        return Bar(sys.stderr)
    return Lines(sys.stderr, priorities=False)
