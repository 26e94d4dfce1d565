"""The words of a message: plain text, a line for each thing, whatever others named what is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import visible
from comfywatchman.events.message import Topic
from comfywatchman.moments import shown
from comfywatchman.report.changes import because, effect, groups, listed
from comfywatchman.report.digest import plural
from comfywatchman.results import Changes, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.results import (
        AcceptanceResult,
        Cause,
        Finding,
        Report,
        WorkflowChange,
        WorkflowReport,
    )

ORDER: Final = (
    Topic.SUMMARY,
    Topic.WORSE,
    Topic.CYCLES_FAILING,
    Topic.ALWAYS_SKIPPED,
    Topic.NEW_BROKEN,
    Topic.SHRUNK,
    Topic.FLAPPING,
    Topic.PACK_NOT_LOADED,
    Topic.ACCEPTANCE_EXPIRED,
    Topic.MENDED,
    Topic.UPGRADED,
    Topic.REMINDER,
)
"""What matters most first."""
_BECAME: Final = {
    Topic.WORSE: ("got worse", "got worse"),
    Topic.MENDED: ("is better again", "are better again"),
    Topic.NEW_BROKEN: ("is new and cannot run as saved", "are new and cannot run as saved"),
}
"""What became of one workflow, and of several."""
_NOTICES: Final = frozenset({Topic.MENDED, Topic.UPGRADED})

_NAMES: Final = 4
_GROUPS: Final = 5
_LINES: Final = 5
_NAME: Final = 80
_LINE: Final = 400
_SUBJECT: Final = 150
_ANY: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a message tells.

    Attributes:
        topic: what it is about.
        headline: that in short, as it may stand in a subject.
        lines: more of it; those that begin with blanks belong to the one before.
        warns: whether there is something to be done.
    """

    topic: Topic
    headline: str
    lines: tuple[str, ...] = ()
    warns: bool = True


def summary(report: Report) -> Part:
    """What the first cycle found, which has nothing to compare with."""
    counts = report.not_accepted
    bad = counts.broken + counts.partial + report.will_fail
    return Part(
        Topic.SUMMARY,
        f"watching {plural(report.summary.total, 'workflow')} from now on: {_counts(report)}",
        ("You will hear of what changes from here on.",),
        warns=bool(bad),
    )


def changed(
    topic: Topic,
    changes: Sequence[WorkflowChange],
    causes: Mapping[str, Cause],
    reports: Mapping[str, WorkflowReport],
) -> Part:
    """Workflows of which something became, by what, and what to do about it."""
    found = sorted(
        groups(Changes(since=_ANY, workflows=list(changes), causes=list(causes.values()))),
        key=lambda group: -len(group.workflows),
    )
    number = len(changes)
    one, many = _BECAME[topic]
    headline = f"{plural(number, 'workflow')} {one if number == 1 else many}"
    if number == 1:
        headline = f"{_name(changes[0].name)} {effect(changes[0])}{found[0].why}"
    elif len(found) == 1:
        headline = found[0].text
    lines: list[str] = []
    for group in found[:_GROUPS]:
        if len(found) > 1:
            lines.append(group.text)
        if number > 1:
            lines.append(f"  {_names(group.workflows)}")
        if topic is not Topic.MENDED:
            lines += _fix(group.workflows, causes, reports)
    if len(found) > _GROUPS:
        rest = sum(len(group.workflows) for group in found[_GROUPS:])
        lines.append(f"and {plural(rest, 'more workflow')} for other reasons")
    return Part(topic, headline, tuple(lines), warns=topic not in _NOTICES)


def server_wide(
    worse: Sequence[WorkflowChange],
    total: int,
    lost: Sequence[str],
    causes: Mapping[str, Cause],
) -> Part:
    """Most workflows got worse at once, which is likely to have one cause."""
    told = f"{len(worse):,} of {plural(total, 'workflow')} got worse at once"
    if not lost:
        why = because(causes[each] for each in worse[0].causes if each in causes)
        return Part(Topic.WORSE, f"{told}{why}", (f"  {_names(worse)}",))
    types = listed([_name(each) for each in lost], _NAMES)
    return Part(
        Topic.WORSE,
        f"the server lost its custom nodes? {told}",
        (
            f"  It lacks {plural(len(lost), 'node type')}: {types}",
            "  What to do: see ComfyUI's log for packs that could not be imported, and restart it",
        ),
    )


def flapping(changes: Sequence[WorkflowChange], counts: Mapping[str, int]) -> Part:
    """Workflows that get worse and better all the time."""
    lines = [
        f"  {_name(c.name)}: {counts[c.path]} changes in a day, now {c.after or 'gone'}"
        for c in changes[:_LINES]
    ]
    number = len(changes)
    what = _name(changes[0].name) if number == 1 else plural(number, "workflow")
    told = "goes" if number == 1 else "go"
    return Part(
        Topic.FLAPPING,
        f"{what} {told} to and fro",
        (*lines, *_more(number), "  They are told of again when they have settled."),
    )


def upgraded(changes: Sequence[WorkflowChange], texts: Sequence[str]) -> Part:
    """ComfyWatchman itself is another one, and judges otherwise."""
    why = f": {texts[0]}" if texts else ""
    return Part(
        Topic.UPGRADED,
        f"ComfyWatchman judges {plural(len(changes), 'workflow')} otherwise than before{why}",
        (f"  {_names(changes)}", "  Nothing on the host changed that would have done it."),
        warns=False,
    )


def shrunk(workflows: Sequence[WorkflowReport]) -> Part:
    """Files that lost most of what was in them."""
    lines = [
        f"  {_name(w.name)}: {_cut(f.message)}"
        for w in workflows[:_LINES]
        for f in w.findings
        if f.code == "workflow_shrunk"
    ]
    number = len(workflows)
    what = _name(workflows[0].name) if number == 1 else plural(number, "workflow")
    return Part(
        Topic.SHRUNK,
        f"{what} lost most of {'its' if number == 1 else 'their'} nodes",
        (*lines, *_more(number), *_first_fix(workflows[0].findings, "workflow_shrunk")),
    )


def not_loaded(findings: Sequence[Finding]) -> Part:
    """Packs that the server has to be started again for."""
    names = listed([_name(f.subject.name) for f in findings], _NAMES)
    return Part(
        Topic.PACK_NOT_LOADED,
        f"ComfyUI is to be restarted for {names}",
        (
            *(f"  {_cut(f.message)}" for f in findings[:_LINES]),
            *_more(len(findings)),
        ),
    )


def acceptances(results: Sequence[AcceptanceResult]) -> Part:
    """Acceptances that do not hold any more."""
    number = len(results)
    return Part(
        Topic.ACCEPTANCE_EXPIRED,
        f"{plural(number, 'acceptance')} no longer {'holds' if number == 1 else 'hold'}",
        (*(f"  {_cut(each.text)}" for each in results[:_LINES]), *_more(number)),
    )


def acceptances_again(results: Sequence[AcceptanceResult]) -> Part:
    """Acceptances that hold, after it was told that they do not."""
    number = len(results)
    return Part(
        Topic.MENDED,
        f"{plural(number, 'acceptance')} {'holds' if number == 1 else 'hold'} again",
        (*(f"  {_cut(each.text)}" for each in results[:_LINES]), *_more(number)),
        warns=False,
    )


def failing(reason: str) -> Part:
    """Cycles fail."""
    return Part(
        Topic.CYCLES_FAILING,
        f"the check fails: {_cut(reason)}",
        (
            "  It failed twice in a row; nothing more is told of it until it is done again.",
            "  What to do: comfywatchman doctor",
        ),
    )


def always_skipped(last: datetime | None, reason: str) -> Part:
    """Cycles are skipped, all of them."""
    since = f"since {shown(last)}" if last else "ever"
    return Part(
        Topic.ALWAYS_SKIPPED,
        f"no check was done {since}: {_cut(reason)}",
        ("  Each was skipped, for a day and longer.", "  What to do: comfywatchman status"),
    )


def done_again() -> Part:
    """A cycle is done, after it was told that none is."""
    return Part(Topic.MENDED, "the check is done again", warns=False)


def reminder(down: Iterable[WorkflowReport]) -> Part:
    """What is down, and known to be."""
    workflows = list(down)
    failing = [w for w in workflows if w.will_fail]
    counts = [
        f"{number:,} {verdict}"
        for verdict in (Verdict.BROKEN, Verdict.PARTIAL)
        if (number := sum(w.verdict is verdict and not w.will_fail for w in workflows))
    ]
    counts += [f"{len(failing):,} that will fail"] if failing else []
    return Part(
        Topic.REMINDER, f"still {', '.join(counts)}", (f"  {_names(workflows)}",), warns=True
    )


def subject(host: str, parts: Sequence[Part]) -> str:
    """One line of what matters most."""
    line = f"{host}: {_cut(parts[0].headline, _SUBJECT)}"
    left = len(parts) - 1
    for part in parts[1:]:
        if len(line) + len(part.headline) > _SUBJECT:
            break
        line, left = f"{line}; {part.headline}", left - 1
    return f"{line}; and {left} more" if left else line


def body(parts: Sequence[Part], report: Report | None, where: str) -> str:
    """All of it, and where the report is."""
    lines: list[str] = []
    for part in parts:
        lines += [part.headline, *part.lines]
    if report is not None:
        lines += ["", f"In all: {report.reason}"]
    lines.append(f"Report: {where}")
    return "\n".join(visible(line, limit=_LINE) for line in lines)


def _counts(report: Report) -> str:
    counts = [(getattr(report.summary, v.value), v.value) for v in Verdict]
    counts.append((sum(w.will_fail for w in report.workflows), "of them will fail"))
    return ", ".join(f"{n:,} {name}" for n, name in counts if n) or "none yet"


def _fix(
    changes: Sequence[WorkflowChange],
    causes: Mapping[str, Cause],
    reports: Mapping[str, WorkflowReport],
) -> Sequence[str]:
    """What to do about the first that something can be done about."""
    for change in changes:
        workflow = reports.get(change.path)
        if workflow is None:
            continue
        meant = [causes[each] for each in change.causes if each in causes]
        errors = [f for f in workflow.findings if f.severity is Severity.ERROR and f.fixes]
        if errors:
            first = min(errors, key=lambda f: not any(_is_of(f, cause) for cause in meant))
            return (f"  What to do: {_cut(first.fixes[0].text)}",)
    return ()


def _is_of(finding: Finding, cause: Cause) -> bool:
    """Whether an error is about what a cause names."""
    name = finding.subject.name
    return finding.node_type in cause.node_types or bool(name and cause.name.endswith(name))


def _first_fix(findings: Iterable[Finding], code: str) -> tuple[str, ...]:
    fixes = (f.fixes[0].text for f in findings if f.code == code and f.fixes)
    return tuple(f"  What to do: {_cut(text)}" for text in fixes)[:1]


def _names(workflows: Sequence[WorkflowChange] | Sequence[WorkflowReport]) -> str:
    return listed([_name(each.name) for each in workflows], _NAMES)


def _name(text: str) -> str:
    return visible(text, limit=_NAME)


def _cut(text: str, limit: int = _LINE - 20) -> str:
    return visible(text, limit=limit)


def _more(number: int) -> tuple[str, ...]:
    return (f"  and {number - _LINES:,} more",) if number > _LINES else ()
