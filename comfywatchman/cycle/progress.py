"""What a cycle says while it runs: its events, and how a terminal and the journal show them."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from comfywatchman import streams
from comfywatchman.escape import visible
from comfywatchman.results import GateAnswer, Severity, Verdict, WorkflowReport

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


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
    """Some more workflows have their verdicts."""

    workflows: list[WorkflowReport]


@dataclass(frozen=True, slots=True)
class Ended:
    """The cycle is over."""

    outcome: str
    reason: str


_DEBUG = 7
"""The journal keeps such a line; a log file is better without."""

Event = GateAnswered | Noted | Alarmed | ReadingBegins | WasRead | WorkflowsFound | Judged | Ended


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
            case Judged(workflows):
                for workflow in workflows:
                    self._judged(workflow)
            case Ended(outcome, reason):
                self._say(3 if outcome == "failed" else 5, f"cycle {outcome}: {reason}")

    def _judged(self, workflow: WorkflowReport) -> None:
        if workflow.verdict is Verdict.RUNNABLE:
            self._say(_DEBUG, f"runnable: {workflow.name}")
            return
        level = 4 if workflow.verdict in (Verdict.BROKEN, Verdict.PARTIAL) else 5
        errors = [f for f in workflow.findings if f.severity is Severity.ERROR]
        shown = errors or workflow.findings
        what = shown[0].message if shown else "; ".join(workflow.not_checked)
        more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
        fix = f". {shown[0].fix}" if shown and shown[0].fix else ""
        self._say(level, f"{workflow.verdict}: {workflow.name}: {what}{more}{fix}")

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
