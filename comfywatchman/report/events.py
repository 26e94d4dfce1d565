"""The history for a terminal: what each cycle found changed, and what that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.moments import shown
from comfywatchman.report.changes import account
from comfywatchman.report.formats import text
from comfywatchman.report.terminal import BOLD, DIM, VERDICT_STYLE, Page

if TYPE_CHECKING:
    from comfywatchman.results import HistoryReport


def render(history: HistoryReport, page: Page) -> str:
    """What the history says, the newest first, as text that ends with a newline."""
    since = f"since {shown(history.since)}" if history.since else "since the history began"
    if not history.events:
        page.say(f"Nothing changed on {history.host} {since}", style=BOLD)
    else:
        page.say(f"What changed on {history.host} {since}, the newest first", style=BOLD)
    if history.workflow is not None:
        page.say(history.workflow, style=BOLD)
    for past in reversed(history.verdicts):
        mark, style = page.symbols[past.verdict], VERDICT_STYLE[past.verdict]
        page.say(f"{past.verdict} since {shown(past.since)}", mark=mark, mark_style=style)
    for event in history.events:
        changed = account(event.changes)
        page.heading(shown(event.at))
        page.say(
            "; ".join(filter(None, [changed.counts, f"since {shown(event.changes.since)}"]))
            + (f"; {changed.remark}" if changed.remark else ""),
            style=DIM,
        )
        text.tell(page, changed)
    return page.text()
