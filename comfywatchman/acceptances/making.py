"""From what a person says to an acceptance of what the last report found."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from typing import TYPE_CHECKING, Final

from comfywatchman.acceptances.file import LONGEST, REASON_LENGTH, too_late
from comfywatchman.escape import visible
from comfywatchman.findings import quoted
from comfywatchman.judging.accepted import Entry
from comfywatchman.workflow.naming import NotNamedError, named

if TYPE_CHECKING:
    from comfywatchman.results import Report, WorkflowReport

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class RefusedError(Exception):
    """It cannot be accepted so. The text says why, and what to do."""


def make(
    report: Report,
    workflow: str,
    *,
    code: str | None,
    reason: str,
    until: str,
    by: str | None,
    today: date,
    team: bool = False,
) -> Entry:
    """Accept the errors that a report has of a workflow.

    Args:
        report: the last full report.
        workflow: the path or the short name of the workflow.
        code: only the errors of this code.
        reason: why.
        until: the last day, as ``2026-12-31``.
        by: who accepts it.
        today: the day on this host.
        team: for a team's file: by what is the same on every host.

    Raises:
        RefusedError: there is no such workflow or error, or reason or day are none.
    """
    last_day = _last_day(until, today)
    why = visible(reason.strip())
    if not why:
        raise RefusedError("--reason is empty: say why this is accepted")
    if len(why) > REASON_LENGTH:
        raise RefusedError(f"--reason must have at most {REASON_LENGTH:,} characters")
    found = _workflow(report, workflow)
    errors = found.errors
    if not errors:
        raise RefusedError(
            f"{quoted(found.name)} is {found.verdict} and has no error in the report of "
            f"{report.started_at:%Y-%m-%d %H:%M} UTC: there is nothing to accept"
        )
    codes = sorted({finding.code for finding in errors})
    if code is not None and code not in codes:
        raise RefusedError(
            f"{quoted(found.name)} has no error {quoted(code)}; it has {', '.join(codes)}"
        )
    meant = [finding for finding in errors if code in (None, finding.code)]
    named = found.name if team else found.path
    digest = hashlib.sha256(f"{named}\0{code or ''}".encode(errors="surrogatepass"))
    return Entry(
        id=digest.hexdigest()[:8],
        workflow=named,
        reason=why,
        until=last_day,
        by=by,
        code=code,
        fingerprints=frozenset(() if team else (finding.fingerprint for finding in meant)),
        faults=frozenset((finding.fault_id for finding in meant) if team else ()),
    )


def _last_day(text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise RefusedError(
            f"--until {quoted(text)} is no day: write year, month and day, such as "
            f"{today + LONGEST / 2}"
        )
    if day < today:
        raise RefusedError(f"--until {day} is past: choose {today} or a later day")
    if problem := too_late(day, today):
        raise RefusedError(f"--until {day} {problem}")
    return day


def _workflow(report: Report, given: str) -> WorkflowReport:
    by_path = {workflow.path: workflow for workflow in report.workflows}
    known = {path: workflow.name for path, workflow in by_path.items()}
    where = f"the report of {report.started_at:%Y-%m-%d %H:%M} UTC"
    try:
        return by_path[named(given, known, where, by_end=False)]
    except NotNamedError as error:
        raise RefusedError(str(error)) from None
