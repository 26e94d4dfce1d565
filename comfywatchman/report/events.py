"""The history for a terminal: what each cycle found changed, and what that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.moments import shown
from comfywatchman.report.changes import account
from comfywatchman.report.formats import text
from comfywatchman.report.terminal import BOLD, DIM, VERDICT_STYLE, Page

if TYPE_CHECKING:
    from comfywatchman.results import HistoryReport, LastGood


def render(history: HistoryReport, page: Page) -> str:
    """What the history says, the newest first, as text that ends with a newline."""
    since = _since(history)
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


def _since(history: HistoryReport) -> str:
    asked = shown(history.since) if history.since else ""
    began = shown(history.began) if history.began else ""
    if not asked or asked < began:  # both are ISO 8601
        return f"since the history began, {began}" if began else "since the history began"
    return f"since {asked}"


def render_last_good(found: LastGood, page: Page) -> str:
    """Under what a workflow last ran here, as text that ends with a newline."""
    page.say(found.workflow, style=BOLD)
    mark, style = page.symbols[found.verdict], VERDICT_STYLE[found.verdict]
    page.say(f"{found.verdict} in the last full report", mark=mark, mark_style=style)
    if found.at is None:
        page.say(f"It was never seen to run on {found.host}")
        return page.text()
    page.say(f"It last ran on {found.host} at {shown(found.at)}", style=BOLD)
    if found.edited:
        page.say("Its own file was edited since then: --restore-copy lists the versions kept")
    if not found.host_changes:
        page.say("Nothing that can be seen of the host has changed since then", style=DIM)
        return page.text()
    page.heading("What changed on the host since then")
    for change in found.host_changes:
        page.say(change.text, mark="·")
    page.say(
        "The environment of then, for others to restore: --as snapshot for ComfyUI-Manager "
        "(cm-cli restore-snapshot FILE), --as constraints for pip (pip install -c FILE …)",
        style=DIM,
    )
    return page.text()
