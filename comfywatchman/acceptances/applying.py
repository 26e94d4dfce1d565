"""A cycle's report, and what people have accepted of what is in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from comfywatchman.acceptances import file
from comfywatchman.judging.accepted import settle
from comfywatchman.results import AcceptanceResult, AcceptanceState, Summary, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.results import Report


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
