"""The status as Nagios, Icinga and CheckMK read it: a state, and a line with performance data.

What others wrote (names, causes, reasons) is made harmless: a ``|`` or a line break would forge
performance data, a quote what a command of theirs is given.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.escape import visible
from comfywatchman.report.digest import in_short, plural
from comfywatchman.results import RANK, ChangeKind, Report, Verdict, WorkflowReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


class State(IntEnum):
    """The exit code of a plug-in, as they read it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_GRAVITY: Final = (State.OK, State.WARNING, State.UNKNOWN, State.CRITICAL)
"""A critical fact is told even where another is not known."""
_USUAL_INTERVAL: Final = 7200.0
_LATE: Final = 900.0
"""Seconds beyond two intervals after which a host is silent; the alert rules have the same."""
_DAY: Final = 86_400.0
_NAMES: Final = 3
_LINE: Final = 2000
_WHOLE: Final = 4000
"""Bytes that all of them read of one answer, and of its first line."""
_BAD: Final = (Verdict.BROKEN, Verdict.PARTIAL)
_HARMLESS: Final = str.maketrans("|$<>&;\\", "/_()+,/", "'\"`")


def judge(
    status: Mapping[str, Any], report: Report | str, now: datetime | None = None
) -> tuple[State, str]:
    """Judge a host.

    Args:
        status: as :func:`comfywatchman.status.read` returns it.
        report: the last full report, or why there is none.
        now: the time.

    Returns:
        The state, and what is to be printed: at most 4,000 bytes in any encoding.
    """
    now = now or datetime.now(UTC)
    found = sorted(_found(status, report, now), key=lambda each: -_GRAVITY.index(each[0]))
    state = found[0][0] if found else State.OK
    said = "; ".join(sentence for _, sentence in found) or _all_is_well(report)
    return state, _answer(state, said, _performance(status, report, now), _details(report))


def unknown(sentence: str) -> tuple[State, str]:
    """What is to be said where nothing can be judged."""
    return State.UNKNOWN, _answer(State.UNKNOWN, sentence, [], [])


def _found(
    status: Mapping[str, Any], report: Report | str, now: datetime
) -> Iterator[tuple[State, str]]:
    """Everything that is not well, with how grave it is."""
    if status["other_host"]:
        yield State.UNKNOWN, status["other_host"]
    if status["alarm"]:
        yield State.CRITICAL, f"ALARM: {status['alarm']}"
    yield from _of_cycles(status, report, now)
    if isinstance(report, str):
        yield State.UNKNOWN, report
    else:
        yield from _of_workflows(report)


def _of_cycles(
    status: Mapping[str, Any], report: Report | str, now: datetime
) -> Iterator[tuple[State, str]]:
    last_run, age = status["last_run"] or {}, _age(status, now)
    reason = str(last_run.get("reason", ""))
    if age is None:
        yield State.UNKNOWN, "what became of the last cycle is not known"
    elif age > _silent_after(status):
        yield State.CRITICAL, f"no cycle has ended for {_hours(age)}"
    elif isinstance(report, Report) and (without := _age_of(report, now)) > _DAY:
        yield State.WARNING, f"there is no new report for {_hours(without)}: {reason}"
    elif status["interrupted"]:
        yield State.WARNING, "the last cycle was killed in the middle"
    elif last_run.get("outcome") == "failed":
        yield State.WARNING, f"the last cycle failed: {reason}"
    if failed := status["failed"]:
        yield State.WARNING, f"the service failed before a cycle began: {failed['why']}"


def _of_workflows(report: Report) -> Iterator[tuple[State, str]]:
    worse = _got_worse(report)
    if worse:
        yield State.CRITICAL, f"{_count(len(worse))} got worse: {_why(worse, report)}"
    told = {each.path for each in worse}
    for verdict in _BAD:
        these = [
            each
            for each in report.workflows
            if each.verdict is verdict
            and not each.will_fail
            and each.accepted is None
            and each.path not in told
        ]
        if these:
            yield State.WARNING, f"{_count(len(these))} {verdict}: {_names(these)}"
    failing = [w for w in report.workflows if w.will_fail and not w.accepted and w.path not in told]
    if failing:
        yield State.WARNING, f"{_count(len(failing))} will fail: {_names(failing)}"
    if let_be := _let_be(report):
        yield State.WARNING, f"{_count(let_be)} as bad as was accepted"


def _let_be(report: Report) -> int:
    """How many are as bad as somebody has accepted."""
    return sum(each.accepted is not None for each in report.workflows if each.is_bad)


def _got_worse(report: Report) -> list[WorkflowReport]:
    """What nobody has accepted and could do more in the last weeks.

    Where none are known, what is broken is taken to be new.
    """
    changes = report.changes.workflows if report.changes else []
    fell = {change.path for change in changes if change.kind is ChangeKind.WORSE}
    return [
        each
        for each in report.workflows
        if each.is_bad and each.accepted is None and _has_fallen(each, fell)
    ]


def _has_fallen(workflow: WorkflowReport, fell: Collection[str]) -> bool:
    if workflow.since is None:
        return workflow.verdict is Verdict.BROKEN or workflow.will_fail
    rank = RANK[workflow.verdict]
    could = any(RANK.get(past.verdict, rank) > rank for past in workflow.past)
    return could or workflow.path in fell


def _why(worse: Sequence[WorkflowReport], report: Report) -> str:
    """The causes that are known of some workflows, else their names."""
    changes = report.changes
    if changes is None:
        return _names(worse)
    paths = {each.path for each in worse}
    ids = {c for change in changes.workflows if change.path in paths for c in change.causes}
    texts = [cause.text for cause in changes.causes if cause.id in ids]
    return "; ".join(texts[:_NAMES]) or _names(worse)


def _names(workflows: Sequence[WorkflowReport]) -> str:
    more = f" and {len(workflows) - _NAMES:,} more" if len(workflows) > _NAMES else ""
    return ", ".join(visible(each.name, limit=80) for each in workflows[:_NAMES]) + more


def _count(number: int) -> str:
    return plural(number, "workflow")


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours"


def _all_is_well(report: Report | str) -> str:
    assert isinstance(report, Report)  # noqa: S101  (why there is none is not well)
    runnable, total = report.summary.runnable, report.summary.total
    return f"{runnable:,} of {_count(total)} can run"


def _performance(status: Mapping[str, Any], report: Report | str, now: datetime) -> list[str]:
    data = []
    if isinstance(report, Report):
        summary = report.summary
        data += [
            f"worse={len(_got_worse(report))};;0;0",
            f"broken={summary.broken};0;;0",
            f"partial={summary.partial};0;;0",
            f"will_fail={report.will_fail};0;;0",
            f"accepted={_let_be(report)};;;0",
            f"unknown={summary.unknown};;;0",
            f"runnable={summary.runnable};;;0",
            f"report_age={_age_of(report, now):.0f}s;{_DAY:.0f};;0",
        ]
        if report.model_files is not None:
            data.append(f"damaged_models={report.model_files.damaged};;;0")
    age = _age(status, now)
    return [*data, *([f"age={age:.0f}s;;{_silent_after(status):.0f};0"] if age is not None else [])]


def _details(report: Report | str) -> list[str]:
    """A line for each workflow that is not as it should be."""
    if isinstance(report, str):
        return []
    failing = [each for each in report.workflows if each.will_fail]
    bad = [e for v in _BAD for e in report.workflows if e.verdict is v and not e.will_fail]
    return [
        f"{'will fail' if each.will_fail else each.verdict}: {each.name}"
        + (f": {in_short(each)}" if each.findings else "")
        for each in (*bad, *failing)
    ]


def _age(status: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds since the last cycle ended, or began if it has not; None if nobody knows."""
    last_run = status["last_run"] or {}
    try:
        at = datetime.fromisoformat(last_run.get("finished_at") or last_run["started_at"])
        return max(0.0, (now - at).total_seconds())
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _age_of(report: Report, now: datetime) -> float:
    return max(0.0, (now - report.started_at).total_seconds() - report.duration_s)


def _silent_after(status: Mapping[str, Any]) -> float:
    return 2 * (status["schedule"]["interval_s"] or _USUAL_INTERVAL) + _LATE


def _answer(state: State, said: str, performance: Sequence[str], details: Sequence[str]) -> str:
    data = f" | {' '.join(performance)}" if performance else ""
    first = _cut(f"COMFYWATCHMAN {state.name} - {_harmless(said)}", _LINE - len(data)) + data
    lines, left = [first], _WHOLE - _size(first)
    for line in (_cut(_harmless(each), 300) for each in details):
        left -= _size(line) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(lines)


def _harmless(text: str) -> str:
    return visible(text, limit=_LINE).translate(_HARMLESS)


def _size(text: str) -> int:
    """Bytes that a text takes at most, in whatever encoding it is printed."""
    return len(text.encode("ascii", "backslashreplace"))


def _cut(text: str, size: int) -> str:
    """A text, or its beginning, that takes no more bytes than that."""
    if _size(text) <= size:
        return text
    end = min(len(text), size)
    while _size(text[:end]) > size - 3:
        end -= 1
    return text[:end] + "..."
