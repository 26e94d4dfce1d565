"""Workflows that a cycle's time was up for: what is said of them, and which they are.

Whatever ran out of time first, reading them from the server or judging them, they are named in one
way: verdict ``unknown``, one of the codes below, and before all others in the next cycle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.findings import declare
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfywatchman.findings import Code
    from comfywatchman.results import Finding

_NEXT: Final = "Nothing at once: the next cycle takes it before those that this one judged."

NOT_JUDGED_IN_TIME: Final = declare(
    "not_judged_in_time",
    Severity.WARNING,
    title="Workflow that the cycle's time was up for",
    explanation="The time of the cycle (four fifths of `cycle_time_limit`) was up before it came to"
    " this workflow. The cycle reports what it has. The verdict is `unknown`: the last one is not"
    " repeated, for nothing it rests on was looked at.",
    remedy=f"{_NEXT} If it is so in every cycle, raise `cycle_time_limit` and the unit's"
    " `TimeoutStartSec=`, or leave workflows out with `workflow_exclude`.",
)
NOT_FETCHED_IN_TIME: Final = declare(
    "not_fetched_in_time",
    Severity.WARNING,
    title="Workflow that the server did not send in time",
    explanation="The server that keeps the workflow took all the time that a cycle waits for its"
    " answers before it came to this workflow. It is the server or the network that is slow, not"
    " this file. The cycle reports what it has. The verdict is `unknown`.",
    remedy=f"{_NEXT} If it is so in every cycle, see what keeps the server busy, or give the"
    " host ComfyUI's folder (`comfyui_dir`) so that workflows are read from the disk.",
)

_CODES: Final = frozenset({NOT_JUDGED_IN_TIME.name, NOT_FETCHED_IN_TIME.name})


def not_judged() -> Finding:
    """What is said of a workflow that was not judged for want of time."""
    return _finding(NOT_JUDGED_IN_TIME, "the cycle's time was up before it was judged")


def not_fetched(server: str) -> Finding:
    """What is said of a workflow that was not read from the server for want of time.

    Args:
        server: the server's address.
    """
    return _finding(
        NOT_FETCHED_IN_TIME,
        f"{server} took all the time that a cycle waits for its answers before it sent it",
    )


def is_postponed(findings: Iterable[Finding]) -> bool:
    """Whether a workflow with these findings was left for the next cycle."""
    return any(finding.code in _CODES for finding in findings)


def in_words(count: int) -> str:
    """Say in a cycle's one line how many were left; empty if none was."""
    if not count:
        return ""
    return f"; the time was up for {count:,} of them, which come first in the next cycle"


def _finding(code: Code, message: str) -> Finding:
    return code.finding(message, fix=code.remedy)
