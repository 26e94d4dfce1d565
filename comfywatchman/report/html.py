"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from comfywatchman.escape import visible
from comfywatchman.moments import in_utc, shown
from comfywatchman.report import accepted, damaged, page, past, pending
from comfywatchman.report.changes import KIND_WORDS, NAMES_LIMIT, account, count
from comfywatchman.report.digest import (
    ALSO_LIMIT,
    BLIND_SPOT_LIMIT,
    PROBLEM_LIMIT,
    READING_ORDER,
    SEVERITY_WORDS,
    asked_phrase,
    digest,
    gate_worth_showing,
    left_out,
    not_told,
    plural,
    proportions,
    server_phrase,
    told_phrase,
)
from comfywatchman.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from jinja2 import Template

    from comfywatchman.report.digest import Digest, Entry
    from comfywatchman.results import Report, Summary

_TEMPLATES = files(__package__) / "templates"
_GATE_NAMES = {"gpu": "GPU", "comfyui": "ComfyUI", "disk": "Disk", "lock": "Lock"}
_PREVIEW_LIMIT = 160
_LEADS = {
    Verdict.BROKEN: "cannot run",
    Verdict.PARTIAL: "would lose outputs",
    Verdict.UNKNOWN: "could not be judged",
}
"""What the page's title says, the first of it that is so of a workflow nobody has accepted."""


def render(report: Report) -> str:
    """The page, without a line of anybody else's: inline style and script, no address to fetch.

    Its Content-Security-Policy allows exactly that style and that script, by their hashes; so even
    if something hostile in a workflow were mark-up here, it could neither run nor call home.
    """
    contents = digest(report)
    change_of = _change_of(report)
    started = in_utc(report.started_at)
    return template().render(
        report=report,
        title=_title(report),
        bar=list(_bar(report.summary)),
        started=f"{started:%Y-%m-%d %H:%M:%S} UTC",
        started_iso=f"{started:%Y-%m-%dT%H:%M:%SZ}",
        server=server_phrase(report.server),
        node_types=plural(report.server.node_types, "node type"),
        left_out=left_out(report),
        asked=asked_phrase(report),
        gate=gate_worth_showing(report),
        entries=contents.entries,
        changed=account(report.changes) if report.changes else None,
        position_of={e.workflow.path: n for n, e in enumerate(contents.entries)},
        changed_count=len(change_of),
        legend=any(len(workflow.past) > 1 for workflow in report.workflows),
        shared=[
            {
                "message": shared.message,
                "fix": shared.fix,
                "workflows": shared.workflows,
                "among": plural(len(shared.workflows), "workflow"),
            }
            for shared in contents.shared
        ],
        groups=[
            (name, list(_rows(group, change_of, report.started_at)))
            for name, group in _groups(contents)
        ],
        acceptances=accepted.worth_showing(report),
        damaged=damaged.lines(report),
        pending=pending.lines(report),
        pending_heading=pending.HEADING,
        told=told_phrase(report),
        not_told=not_told(report),
        not_checked=[
            (sentence, plural(workflows, "workflow") if workflows else "")
            for sentence, workflows in contents.not_checked[:BLIND_SPOT_LIMIT]
        ],
    )


@cache
def template() -> Template:
    """The page's template, compiled once."""
    environment = page.environment(_TEMPLATES)
    environment.filters.update(
        preview=_preview, moment=_moment, plural=plural, acceptance=accepted.in_words
    )
    environment.globals.update(
        page.inline(
            [page.STYLE, _TEMPLATES / "history.css"], [page.THEME, _TEMPLATES / "report.js"]
        ),
        kind_words=KIND_WORDS,
        reading_order=READING_ORDER,
        count=count,
        names_limit=NAMES_LIMIT,
        gate_names=_GATE_NAMES,
        also_limit=ALSO_LIMIT,
        blind_spot_limit=BLIND_SPOT_LIMIT,
        problem_limit=PROBLEM_LIMIT,
        severity_words=SEVERITY_WORDS,
        damaged_heading=damaged.HEADING,
        will_fail=damaged.WILL_FAIL,
        acceptances_heading=accepted.HEADING,
        acceptance_limit=accepted.RESULT_LIMIT,
    )
    return environment.get_template("report.html.j2")


@lru_cache(4096)
def _preview(text: str) -> Markup:
    return escape(visible(text, limit=_PREVIEW_LIMIT))


@lru_cache(4096)
def _moment(moment: datetime) -> Markup:
    iso = f"{in_utc(moment):%Y-%m-%dT%H:%MZ}"
    return Markup(f'<time datetime="{iso}">{shown(moment)}</time>')  # noqa: S704  (ours)


def _change_of(report: Report) -> dict[str, str]:
    """By path, what became of each workflow that is still there."""
    if report.changes is None:
        return {}
    there = {workflow.path for workflow in report.workflows}
    changes = (change for change in report.changes.workflows if change.path in there)
    return {change.path: KIND_WORDS[change.kind] for change in changes}


def _rows(
    group: Iterable[tuple[int, Entry]], change_of: dict[str, str], now: datetime
) -> Iterator[tuple[int, Entry, str | None, Markup]]:
    """What the template shows of each workflow: its position, what became of it and its past."""
    for position, entry in group:
        workflow = entry.workflow
        yield position, entry, change_of.get(workflow.path), past.on_page(workflow, now)


def _groups(contents: Digest) -> list[tuple[str, list[tuple[int, Entry]]]]:
    """The groups of workflows on the page, by what they are called there."""
    groups = [(verdict.value, group) for verdict, group in contents.by_verdict()]
    return [*groups, *([("accepted", contents.accepted)] if contents.accepted else [])]


def _title(report: Report) -> str:
    """What the page is about, in a few words."""
    summary, total = report.summary, report.summary.total
    if report.outcome != "done":
        return (
            f"The check was {report.outcome}" if report.outcome == "skipped" else "The check failed"
        )
    if not total:
        return "No workflows found"
    of_all = f"of {plural(total, 'workflow')}"
    fails = f"; {report.will_fail:,} more will fail" if report.will_fail else ""
    graver = 0
    for verdict, what in _LEADS.items():
        let_be = getattr(report.accepted, verdict)
        if getattr(report.not_accepted, verdict):
            among = f", {let_be:,} of them accepted" if let_be else ""
            beside = f"; {graver:,} other{'s are' if graver > 1 else ' is'} accepted"
            lead = f"{getattr(summary, verdict):,} {of_all} {what}{among}{beside * bool(graver)}"
            return lead + fails
        graver += let_be
    if report.will_fail:
        return f"{report.will_fail:,} {of_all} will fail"
    if graver:
        let_be = "1 is accepted as it is" if graver == 1 else f"{graver:,} are accepted as they are"
        return f"{summary.runnable:,} {of_all} can run; {let_be}"
    return "The workflow can run" if total == 1 else f"All {total:,} workflows can run"


def _bar(summary: Summary) -> Iterator[tuple[Verdict, int, int]]:
    """Verdict, start and length of each part of the bar, in thousandths of its width."""
    if not summary.total:
        return
    start = 0
    numbers = [getattr(summary, verdict) for verdict in READING_ORDER]
    for verdict, length in zip(READING_ORDER, proportions(numbers, 100), strict=True):
        if length:
            yield verdict, start * 10, length * 10
        start += length
