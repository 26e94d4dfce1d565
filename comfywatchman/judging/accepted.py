"""What a person has accepted as it is, and what that makes of a cycle's verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from comfywatchman.findings import about, declare, quoted
from comfywatchman.judging.identity import identified
from comfywatchman.results import (
    Acceptance,
    AcceptanceResult,
    AcceptanceState,
    Severity,
    SubjectKind,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from comfywatchman.findings import Code
    from comfywatchman.results import Finding, WorkflowReport

_RENEW: Final = (
    "Mend the workflow, or accept it anew with `comfywatchman accept`. What was accepted in vain is"
    " taken back with `comfywatchman accept --withdraw ID`."
)

ACCEPT_EXPIRED: Final = declare(
    "accept_expired",
    Severity.INFO,
    title="Acceptance that has come to its end",
    explanation="The errors of this workflow were accepted until a day that has passed. They count"
    " again.",
    remedy=_RENEW,
)
ACCEPT_VOID: Final = declare(
    "accept_void",
    Severity.INFO,
    title="Acceptance that a new error has ended",
    explanation="The workflow has an error that it did not have when its errors were accepted. So"
    " all of them count again: the new one must not hide among the old.",
    remedy=_RENEW,
)
ACCEPT_UNUSED: Final = declare(
    "accept_unused",
    Severity.INFO,
    title="Acceptance that is for nothing",
    explanation="The workflow has none of the errors that were accepted. If they came back they"
    " would be accepted still.",
    remedy="Withdraw it with `comfywatchman accept --withdraw ID`.",
)

_REMARKS: Final = {
    AcceptanceState.EXPIRED: ACCEPT_EXPIRED,
    AcceptanceState.VOID: ACCEPT_VOID,
    AcceptanceState.UNUSED: ACCEPT_UNUSED,
}
_ORDER: Final = {
    state: position
    for position, state in enumerate(
        (
            AcceptanceState.WRONG,
            AcceptanceState.VOID,
            AcceptanceState.EXPIRED,
            AcceptanceState.UNUSED,
            AcceptanceState.APPLIED,
        )
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An acceptance as it is written down.

    Attributes:
        id: what it is called.
        workflow: the path of a workflow as a report has it, or its short name.
        reason: why it is accepted.
        until: the last day on which it holds.
        by: who accepted it, if that is written there.
        code: it is for the errors of this code alone.
        fingerprints: those of the errors it is for.
        faults: those (``Finding.fault_id``) of the errors it is for, at whatever node.
        file: where it is written.
        team: whether that is the file of a team, which many hosts have.
    """

    id: str
    workflow: str
    reason: str
    until: date
    by: str | None = None
    code: str | None = None
    fingerprints: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()
    file: str = ""
    team: bool = False

    def names(self, finding: Finding) -> bool:
        """Whether this very error was accepted."""
        return finding.fingerprint in self.fingerprints or finding.fault_id in self.faults

    def concerns(self, finding: Finding) -> bool:
        """Whether it has a say about this error, accepted or new."""
        return self.code is None or finding.code == self.code or self.names(finding)

    def acceptance(self) -> Acceptance:
        """It as a report shows it."""
        return Acceptance(
            id=self.id, reason=self.reason, until=self.until, by=self.by, code=self.code
        )

    @property
    def withdrawn_by(self) -> str:
        """How to take it back, the end of a sentence."""
        if self.team:
            return "withdraw it in the team's file, and deploy that"
        return f"withdraw it with: comfywatchman accept --withdraw {self.id}"


@dataclass(frozen=True, slots=True)
class _Judged:
    """A workflow, its errors, and the acceptances of it that have not come to their end."""

    report: WorkflowReport
    errors: list[Finding]
    live: list[Entry] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)

    def is_accepted(self, error: Finding) -> bool:
        return any(entry.names(error) for entry in self.live)

    def state(self, entry: Entry) -> AcceptanceState | None:
        """What an acceptance comes to here; None where nothing can be said."""
        concerned = [error for error in self.errors if entry.concerns(error)]
        if entry not in self.live:
            return AcceptanceState.EXPIRED if concerned else AcceptanceState.UNUSED
        if not all(map(self.is_accepted, concerned)):
            return AcceptanceState.VOID
        if any(map(entry.names, concerned)):
            return AcceptanceState.APPLIED
        return None if self.report.verdict is Verdict.UNKNOWN else AcceptanceState.UNUSED

    def settled(self) -> WorkflowReport:
        update: dict[str, object] = {}
        counts = self.report.is_bad and self.errors
        if counts and all(map(self.is_accepted, self.errors)):
            holding = [entry for entry in self.live if any(map(entry.names, self.errors))]
            first = min(holding, key=lambda entry: (entry.until, entry.id))
            update["accepted"] = first.acceptance()
        if self.remarks:
            alone = identified(self.report.model_copy(update={"findings": self.remarks}))
            update["findings"] = [*self.report.findings, *alone.findings]
        return self.report.model_copy(update=update) if update else self.report


def settle(
    reports: Sequence[WorkflowReport], entries: Iterable[Entry], today: date, *, whole: bool
) -> tuple[list[WorkflowReport], list[AcceptanceResult]]:
    """Apply what was accepted to the workflows of a cycle.

    An acceptance holds for a workflow as long as each of its errors, or each of the code that it is
    for, was accepted, by this acceptance or another. In a team's file, what is for nothing on this
    host is no mistake: it may be for another.

    Args:
        reports: the verdicts.
        entries: the acceptances, each with an id of its own.
        today: the day on this host.
        whole: whether these are all workflows of the host, so that one that lacks is not there.

    Returns:
        The same workflows in the same order, and what each acceptance has come to.
    """
    judged = [_Judged(report, report.errors) for report in reports]
    by_path = {each.report.path: [each] for each in judged}
    by_name: dict[str, list[_Judged]] = {}
    for each in judged:
        by_name.setdefault(each.report.name, []).append(each)
    found = [
        (entry, by_path.get(entry.workflow) or by_name.get(entry.workflow, [])) for entry in entries
    ]
    for entry, theirs in found:
        if entry.until >= today:
            for each in theirs:
                each.live.append(entry)
    results: list[AcceptanceResult] = []
    for entry, theirs in found:
        if not theirs and whole:
            results.append(_result(entry, AcceptanceState.UNUSED, _lacks(entry)))
        results += [
            _settle_one(entry, each, state) for each in theirs if (state := each.state(entry))
        ]
    results.sort(key=lambda result: (_ORDER[result.state], result.id, result.workflow or ""))
    return [each.settled() for each in judged], results


def _settle_one(entry: Entry, judged: _Judged, state: AcceptanceState) -> AcceptanceResult:
    report = judged.report
    name = quoted(report.name)
    given = f"acceptance {entry.id} of {name}"
    message, remedy = "", ""
    match state:
        case AcceptanceState.APPLIED:
            number = sum(map(entry.names, judged.errors))
            message = f"{_errors_in_words(number)} of {name} accepted until {entry.until}"
            if not all(map(judged.is_accepted, judged.errors)):
                message += "; its other errors are not, and it counts as it is"
        case AcceptanceState.VOID:
            new = [e for e in judged.errors if entry.concerns(e) and not judged.is_accepted(e)]
            more = f" (and {len(new) - 1:,} more)" if len(new) > 1 else ""
            message = f"{given} holds no more, for there is a new error: {new[0].message}{more}"
            remedy = f"mend it, accept all of it anew, or {entry.withdrawn_by}"
        case AcceptanceState.EXPIRED:
            message = f"{given} held until {entry.until}, and its errors count again"
            remedy = f"mend it, accept it anew, or {entry.withdrawn_by}"
        case _:
            message = f"{given} is for nothing: the workflow has none of its errors"
            remedy = entry.withdrawn_by
    if (code := _REMARKS.get(state)) and not (state is AcceptanceState.UNUSED and entry.team):
        judged.remarks.append(_remark(code, entry, message, remedy))
    text = f"{message}; {remedy}" if remedy else f"{message}: {entry.reason}"
    return _result(entry, state, text, report.path)


def _remark(code: Code, entry: Entry, message: str, remedy: str) -> Finding:
    return code.finding(message, fix=remedy, subject=about(SubjectKind.WORKFLOW, entry.id))


def _result(
    entry: Entry, state: AcceptanceState, text: str, workflow: str | None = None
) -> AcceptanceResult:
    return AcceptanceResult(
        id=entry.id, state=state, text=text, file=entry.file, team=entry.team, workflow=workflow
    )


def _lacks(entry: Entry) -> str:
    return (
        f"acceptance {entry.id} is for nothing: there is no workflow {quoted(entry.workflow)}; if "
        f"it was renamed, accept it under its new name; {entry.withdrawn_by}"
    )


def _errors_in_words(number: int) -> str:
    return "1 error" if number == 1 else f"{number:,} errors"
