"""What makes a finding the same one: in the next cycle, on other hosts, and by its cause."""

from __future__ import annotations

import hashlib
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from comfywatchman import findings
from comfywatchman.checks.engine.registry import registered
from comfywatchman.results import SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.results import Finding, WorkflowReport

_THINGS: Final = frozenset(
    {
        SubjectKind.MODEL,
        SubjectKind.INPUT_FILE,
        SubjectKind.PACK,
        SubjectKind.NODE_TYPE,
        SubjectKind.SERVER,
    }
)
"""Kinds of subjects that are the same thing wherever they are named."""
_FILES: Final = frozenset({SubjectKind.MODEL, SubjectKind.INPUT_FILE})


def identified(report: WorkflowReport) -> WorkflowReport:
    """Give each finding of a workflow its fingerprint, fault and cause, and return the report.

    They rest on the workflow's path, the code, the node, the input and the subject; not on the
    wording, the severity, or the order of anything.
    """
    if not report.findings:
        return report
    registered()  # so that every code is known
    moved = _nodes_with_moved_values(report.findings)
    seen: Counter[tuple[str | None, ...]] = Counter()
    for finding in report.findings:
        place = _place(finding)
        seen[place] += 1
        finding.identify(
            fingerprint=_digest(32, report.path, *place, str(seen[place])),
            fault_id=_id(_fault(finding)),
            cause_id=_id(_cause(finding, report.path, moved)),
        )
    return report


def _place(finding: Finding) -> tuple[str | None, ...]:
    """Where in a workflow a fault is, however the nodes are ordered.

    What is about a node as a whole, or about an input by its name, is not told apart by the input
    that the server names.
    """
    code = findings.code(finding.code)
    node_id = None if code is not None and code.once else finding.node_id
    says_where = finding.subject.kind in (SubjectKind.NODE_TYPE, SubjectKind.INPUT)
    return (_code(finding), node_id, None if says_where else finding.input, *_thing(finding))


def _code(finding: Finding) -> str:
    """The code of the fault, in whatever order the server would meet the nodes."""
    code = findings.code(finding.code)
    return code.same_fault_as or code.name if code is not None else finding.code


def _thing(finding: Finding) -> tuple[str, str | None, str]:
    subject = finding.subject
    return subject.kind.value, subject.folder, subject.name


def _fault(finding: Finding) -> tuple[str | None, ...]:
    """What the same fault has in common in every workflow that has it."""
    if finding.subject.kind in _THINGS:
        return (_code(finding), *_thing(finding))
    if finding.subject.kind is SubjectKind.WORKFLOW:
        return (_code(finding),)
    return (_code(finding), finding.node_type, finding.input, *_thing(finding))


def _cause(finding: Finding, path: str, moved: frozenset[str]) -> tuple[str | None, ...]:
    """What the findings of a report that have one cause have in common."""
    if finding.cause_id:
        return ("cause", finding.cause_id)  # the check knows it
    kind = finding.subject.kind
    if kind in _FILES:
        return _thing(finding)
    if kind in _THINGS:
        return (_code(finding), *_thing(finding))
    if kind is SubjectKind.WORKFLOW:
        return (path, _code(finding), finding.subject.name)
    if kind is SubjectKind.VALUE and finding.node_id in moved:
        return (path, finding.node_id, "moved values")
    return (path, finding.node_id, _code(finding), finding.input, *_thing(finding))


def _nodes_with_moved_values(found: Iterable[Finding]) -> frozenset[str]:
    """Nodes of which several values are wrong, one of them in a way that values seldom are."""
    wrong: dict[str, set[str | None]] = {}
    misplaced: set[str] = set()
    for finding in found:
        if finding.subject.kind is SubjectKind.VALUE and finding.node_id is not None:
            wrong.setdefault(finding.node_id, set()).add(finding.input)
            code = findings.code(finding.code)
            if code is not None and code.misplaced:
                misplaced.add(finding.node_id)
    return frozenset(node_id for node_id in misplaced if len(wrong[node_id]) > 1)


@lru_cache(4096)
def _id(parts: tuple[str | None, ...]) -> str:
    return _digest(16, *parts)


def _digest(length: int, *parts: str | None) -> str:
    text = "\0".join("" if part is None else f"={part}" for part in parts)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]
