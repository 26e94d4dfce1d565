"""What every form shown to people says of what is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.results import AcceptanceState

if TYPE_CHECKING:
    from comfywatchman.results import Acceptance, AcceptanceResult, Report

HEADING: Final = "Acceptances that need a look"
"""Of those that do not hold, or came to nothing."""
RESULT_LIMIT: Final = 50
"""How many of them are shown; the JSON form has them all."""


def among(report: Report) -> str:
    """How many of the workflows are accepted as they are, e.g. ``, 2 of them accepted``."""
    return f", {report.accepted.total:,} of them accepted" if report.accepted.total else ""


def in_words(acceptance: Acceptance) -> str:
    """E.g. ``accepted until 2026-12-31 by anna: the studio does without (3f9a21bc)``."""
    by = f" by {acceptance.by}" if acceptance.by else ""
    return f"accepted until {acceptance.until}{by}: {acceptance.reason} ({acceptance.id})"


def worth_showing(report: Report) -> list[AcceptanceResult]:
    """What a person should know of the acceptances, but for those that hold.

    What is for nothing on this host in a team's file may be for something on another.
    """
    return [
        result
        for result in report.acceptances
        if result.state is not AcceptanceState.APPLIED
        and not (result.team and result.state is AcceptanceState.UNUSED)
    ]
