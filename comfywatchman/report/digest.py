"""A report put in reading order: what every form shown to people has in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfywatchman.escape import visible
from comfywatchman.latest import kept_for_the_latest
from comfywatchman.moments import shown
from comfywatchman.results import Severity, SubjectKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.results import (
        Finding,
        GateAnswer,
        Report,
        Server,
        Summary,
        WorkflowReport,
    )

READING_ORDER = (Verdict.BROKEN, Verdict.PARTIAL, Verdict.UNKNOWN, Verdict.RUNNABLE)
"""Verdicts, the one that needs a person first."""

SEVERITY_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
"""What people call them, the gravest first."""

PROBLEM_LIMIT = 50
"""Problems shown of one workflow; the JSON form has them all."""
SHARED_LIMIT = 10
"""Problems shown as shared by several workflows."""
BLIND_SPOT_LIMIT = 20
"""Things not checked that are shown of the cycle, or of one workflow."""
ALSO_LIMIT = 5
"""Further messages shown of one problem."""
PLACE_LIMIT = 12
"""Node ids shown of one problem."""

_FILES = (SubjectKind.MODEL, SubjectKind.INPUT_FILE)
_SEVERITY_RANK = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem shows: the nodes of one type, at one input.

    Attributes:
        node_type: the nodes' type, or None when it is not about a node.
        node_ids: their ids, in the order found.
        input: the input's name, or None.
        titles: the titles that people gave the nodes, by id.
    """

    node_type: str | None
    node_ids: tuple[str, ...]
    input: str | None
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """Type, ids and titles (``KSampler #4 "Second pass", #12:7``); long lists are cut."""
        ids = ", ".join(map(self._id, self.node_ids[:PLACE_LIMIT]))
        more = len(self.node_ids) - PLACE_LIMIT
        shown = f"{ids} and {more} more" if more > 0 else ids
        return f"{self.node_type} {shown}" if self.node_type and shown else self.node_type or shown

    def _id(self, node_id: str) -> str:
        title = self.titles.get(node_id)
        return f"#{node_id}" if title is None else f'#{node_id} "{visible(title, limit=60)}"'


@dataclass(frozen=True, slots=True)
class Problem:
    """Findings of one workflow that say the same thing about different nodes, or have one cause.

    Attributes:
        code: that of the gravest of them; likewise the next three.
        also: what else was found in one node, where that has one cause.
        places: where they all show.
        shared_by: what problems of several workflows have in common if they are the same one.
    """

    code: str
    severity: Severity
    message: str
    fix: str | None
    also: tuple[str, ...]
    places: tuple[Place, ...]
    shared_by: tuple[str, str]


@dataclass(frozen=True, slots=True)
class SharedProblem:
    """An error that several workflows have in common: fixing it helps all of them.

    Attributes:
        number: its rank, from 1; the most widespread first.
        shared_by: what the workflows' problems have in common.
        message: what is wrong.
        fix: the remedy most of the workflows' findings name, if any.
        workflows: positions in :attr:`Digest.entries`.
    """

    number: int
    shared_by: tuple[str, str]
    message: str
    fix: str | None
    workflows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One workflow with its findings merged and sorted, errors first."""

    workflow: WorkflowReport
    problems: tuple[Problem, ...]

    @property
    def counts(self) -> str:
        """E.g. ``2 errors, 1 warning``; empty when nothing was found."""
        found = [p.severity for p in self.problems]
        return ", ".join(
            plural(number, name)
            for severity, name in SEVERITY_WORDS.items()
            if (number := found.count(severity))
        )

    @property
    def reason(self) -> str:
        """The first thing to say about its verdict; empty when there is nothing to say."""
        if self.problems:
            return self.problems[0].message
        return self.workflow.not_checked[0] if self.workflow.not_checked else ""


@dataclass(frozen=True, slots=True)
class Digest:
    """A report in reading order.

    Attributes:
        entries: every workflow, by verdict in ``READING_ORDER`` and by name within it.
        shared: errors of two workflows or more that nobody has accepted, the most widespread first.
        not_checked: each blind spot, and in how many workflows (0: the whole cycle's).
    """

    entries: tuple[Entry, ...]
    shared: tuple[SharedProblem, ...]
    not_checked: tuple[tuple[str, int], ...]

    @property
    def accepted(self) -> list[tuple[int, Entry]]:
        """The entries that are accepted as they are, with their positions."""
        return [(n, e) for n, e in enumerate(self.entries) if e.workflow.accepted]

    def by_verdict(self) -> list[tuple[Verdict, list[tuple[int, Entry]]]]:
        """The other entries with their positions, one group for each verdict that occurs."""
        groups: dict[Verdict, list[tuple[int, Entry]]] = {v: [] for v in READING_ORDER}
        for position, entry in enumerate(self.entries):
            if not entry.workflow.accepted:
                groups[entry.workflow.verdict].append((position, entry))
        return [(verdict, group) for verdict, group in groups.items() if group]


@kept_for_the_latest
def digest(report: Report) -> Digest:
    """Sort, merge and count what ``report`` holds.

    The last digest is kept while its report lives: the forms of a report are made one after
    another.
    """
    rank = {verdict: position for position, verdict in enumerate(READING_ORDER)}
    workflows = sorted(
        report.workflows,
        key=lambda w: (rank[w.verdict], not w.will_fail, w.name.casefold(), w.name, w.path),
    )
    entries = tuple(Entry(w, _merged(w.findings)) for w in workflows)
    return Digest(entries, _shared(entries), _not_checked(report))


def plural(number: int, noun: str) -> str:
    """``1 workflow``, ``1,204 workflows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def headline(summary: Summary) -> str:
    """The counts as one phrase, e.g. ``9 broken, 1 partial, 4 runnable of 14 workflows``."""
    if not summary.total:
        return "no workflows found"
    counts = {verdict: getattr(summary, verdict) for verdict in READING_ORDER}
    phrase = ", ".join(f"{number:,} {verdict}" for verdict, number in counts.items() if number)
    return f"{phrase} of {plural(summary.total, 'workflow')}"


def in_short(workflow: WorkflowReport) -> str:
    """What matters most of a workflow: its first error, else finding, and how many more it has.

    Empty when nothing was found.
    """
    shown = workflow.errors or workflow.findings
    more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
    return f"{shown[0].message}{more}" if shown else ""


def left_out(report: Report) -> str:
    """E.g. ``12 workflows left out by workflow_exclude``; empty when none were."""
    if not report.left_out:
        return ""
    return f"{plural(report.left_out, 'workflow')} left out by workflow_exclude"


def proportions(numbers: Sequence[int], room: int) -> list[int]:
    """Divide ``room`` in proportion to ``numbers``; what is not zero gets one at least."""
    total = sum(numbers)
    lengths = [max(number * room // total, 1) if number else 0 for number in numbers]
    largest = max(range(len(lengths)), key=lengths.__getitem__)
    lengths[largest] += room - sum(lengths)
    return lengths


def server_phrase(server: Server) -> str:
    """The instance that was asked, e.g. ``ComfyUI 0.8.0 at http://127.0.0.1:8188``."""
    name = f"ComfyUI {server.version}" if server.version else "ComfyUI (version unknown)"
    if server.catalog_file:
        return f"{name}, as saved in {server.catalog_file}"
    return f"{name} at {server.url}" if server.url else name


def told_phrase(report: Report) -> str:
    """What people had been told when the report was made; empty where that is nothing."""
    notices = report.notices
    if notices is None:
        return ""
    said = []
    if notices.last_told is not None:
        said.append(f"people were told last of the check of {shown(notices.last_told)}")
    if notices.pending:
        verb = "is" if notices.pending == 1 else "are"
        said.append(f"{plural(notices.pending, 'message')} {verb} still to be sent")
    return "; ".join(said)


def not_told(report: Report) -> list[str]:
    """A sentence for each channel by which nobody could be told."""
    return [channel.text for channel in report.notices.failing] if report.notices else []


def asked_phrase(report: Report) -> str:
    """About how many workflows the server was asked in this cycle."""
    return f"asked the server about {plural(report.asked_server, 'workflow')}"


def gate_worth_showing(report: Report) -> list[GateAnswer]:
    """The gate's answers; that the lock was free goes without saying."""
    return [answer for answer in report.gate if not (answer.name == "lock" and answer.ok)]


def _merged(findings: Iterable[Finding]) -> tuple[Problem, ...]:
    gravest_first = sorted(findings, key=lambda f: _SEVERITY_RANK[f.severity])
    merged: dict[object, list[Finding]] = {}
    for finding in gravest_first:
        alike = (finding.code, finding.severity, finding.message, finding.fix)
        merged.setdefault(finding.cause_id or alike, []).append(finding)
    alike_too: dict[object, list[Finding]] = {}
    for same in merged.values():
        first = same[0]
        key = (first.code, first.severity, first.message, first.fix)
        alike_too.setdefault(key, []).extend(same)
    return tuple(map(_problem, alike_too.values()))


def _problem(findings: Sequence[Finding]) -> Problem:
    first = findings[0]
    also: dict[str, None] = {}
    if first.subject.kind is SubjectKind.VALUE:
        also = dict.fromkeys(f.message for f in findings if f.message != first.message)
    elif first.subject.kind is SubjectKind.NODE_TYPE:
        # What explains why node types are missing, and not that each of them is.
        also = dict.fromkeys(f.message for f in findings if f.code != first.code)
    return Problem(
        code=first.code,
        severity=first.severity,
        message=first.message,
        fix=first.fix,
        also=tuple(also),
        places=_places(findings),
        # One file is missing whatever the inputs are called; all else must read the same, too.
        shared_by=(first.fault_id, "" if first.subject.kind in _FILES else first.message),
    )


def _places(findings: Iterable[Finding]) -> tuple[Place, ...]:
    places: dict[tuple[str | None, str | None], list[str]] = {}
    titles: dict[str, str] = {}
    for finding in findings:
        ids = places.setdefault((finding.node_type, finding.input), [])
        if finding.node_id is not None:
            if finding.node_id not in ids:
                ids.append(finding.node_id)
            if finding.title is not None:
                titles[finding.node_id] = finding.title
    return tuple(
        Place(node_type, tuple(ids), input_name, titles)
        for (node_type, input_name), ids in places.items()
        if node_type is not None or input_name is not None or ids
    )


def _shared(entries: Iterable[Entry]) -> tuple[SharedProblem, ...]:
    workflows: dict[tuple[str, str], list[int]] = {}
    fixes: dict[tuple[str, str], Counter[str | None]] = {}
    messages: dict[tuple[str, str], str] = {}
    for position, entry in enumerate(entries):
        for problem in entry.problems:
            if problem.severity is Severity.ERROR and not entry.workflow.accepted:
                key = problem.shared_by
                messages.setdefault(key, problem.message)
                found = workflows.setdefault(key, [])
                if not found or found[-1] != position:
                    found.append(position)
                fixes.setdefault(key, Counter())[problem.fix] += 1
    several = [item for item in workflows.items() if len(item[1]) > 1]
    several.sort(key=lambda item: -len(item[1]))
    return tuple(
        SharedProblem(number, key, messages[key], fixes[key].most_common(1)[0][0], tuple(found))
        for number, (key, found) in enumerate(several[:SHARED_LIMIT], start=1)
    )


def _not_checked(report: Report) -> tuple[tuple[str, int], ...]:
    counts = dict.fromkeys(report.not_checked, 0)
    for workflow in report.workflows:
        for sentence in workflow.not_checked:
            counts[sentence] = counts.get(sentence, 0) + 1
    return tuple(counts.items())
