"""A cycle's report, and what people have accepted of what is in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from comfywatchman.acceptances import file
from comfywatchman.judging.accepted import settle
from comfywatchman.results import AcceptanceResult, AcceptanceState, Summary, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    from comfywatchman.judging.accepted import Entry
    from comfywatchman.results import Acceptance, Report, WorkflowReport


@dataclass(frozen=True, slots=True)
class Accepting:
    """What was accepted, to say of workflows as they are judged whether they are accepted so.

    Attributes:
        entries: the acceptances.
        today: the day on this host.
    """

    entries: list[Entry]
    today: date

    @classmethod
    def at(cls, moment: datetime, config_file: Path | None) -> Self:
        """What was accepted, as of the day of a moment; see :func:`applied`."""
        today = moment.astimezone().date()
        return cls(file.read(config_file, today).entries, today)

    def among(self, reports: Sequence[WorkflowReport]) -> dict[str, Acceptance]:
        """By which acceptance workflows are accepted as they are, by path; the others lack."""
        if not self.entries:
            return {}
        settled, _ = settle(reports, self.entries, self.today, whole=False)
        return {each.path: each.accepted for each in settled if each.accepted is not None}


def applied(report: Report, config_file: Path | None, *, whole: bool) -> Report:
    """The report with what was accepted, and what has become of each acceptance.

    Args:
        report: a report whose outcome is ``done``.
        config_file: the configuration file that the acceptances lie beside.
        whole: whether it is about all workflows of the host.
    """
    today = report.started_at.astimezone().date()
    known = file.read(config_file, today)
    if not known.entries and not known.problems:
        return report
    workflows, results = settle(report.workflows, known.entries, today, whole=whole)
    wrong = [
        AcceptanceResult(
            id=problem.id,
            state=AcceptanceState.WRONG,
            text=problem.text,
            file=problem.file,
            team=problem.team,
        )
        for problem in known.problems
    ]
    counts = Counter(workflow.verdict for workflow in workflows if workflow.accepted)
    accepted = Summary(**{verdict.value: counts[verdict] for verdict in Verdict})
    told = f"; {accepted.total:,} accepted" if accepted.total else ""
    return report.model_copy(
        update={
            "reason": report.reason + told,
            "workflows": workflows,
            "accepted": accepted,
            "acceptances": [*wrong, *results],
        }
    )
