"""Packs that wait for a restart of ComfyUI, as every form shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.report.changes import NAMES_LIMIT, listed
from comfywatchman.report.digest import plural

if TYPE_CHECKING:
    from comfywatchman.results import Report

HEADING: Final = "After the next restart of ComfyUI"
LIMIT: Final = 20
"""Packs shown; the JSON form has them all."""


def lines(report: Report) -> list[tuple[str, str]]:
    """What each pack that waits becomes, and which workflows rest on it, if any do."""
    names = {workflow.path: workflow.name for workflow in report.workflows}
    found = []
    for pack in report.restart_pending[:LIMIT]:
        resting = [names[path] for path in pack.workflows if path in names]
        told = ""
        if resting:
            shown = listed(resting, NAMES_LIMIT, ", ")
            rest = "rests" if len(resting) == 1 else "rest"
            told = f"{plural(len(resting), 'workflow')} {rest} on it: {shown}"
        found.append((pack.text, told))
    if more := report.restart_pending[LIMIT:]:
        found.append((f"and {plural(len(more), 'more pack')}", ""))
    return found
