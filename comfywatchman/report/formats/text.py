"""The report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from comfywatchman.escape import NAME_LIMIT
from comfywatchman.moments import in_utc
from comfywatchman.report import accepted, damaged, past, pending
from comfywatchman.report.changes import (
    GROUP_LIMIT,
    HOST_LIMIT,
    KIND_WORDS,
    NAMES_LIMIT,
    Account,
    Group,
    account,
    count,
    listed,
)
from comfywatchman.report.digest import (
    ALSO_LIMIT,
    BLIND_SPOT_LIMIT,
    PROBLEM_LIMIT,
    READING_ORDER,
    Digest,
    Entry,
    Problem,
    asked_phrase,
    digest,
    headline,
    left_out,
    not_told,
    plural,
    proportions,
    server_phrase,
    told_phrase,
)
from comfywatchman.report.terminal import (
    ALARM,
    BOLD,
    CYAN,
    DIM,
    SEVERITY_STYLE,
    VERDICT_STYLE,
    Page,
    page_for,
)
from comfywatchman.results import ChangeKind, Severity, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from comfywatchman.results import Output, Report

_KIND_STYLE = {
    ChangeKind.WORSE: "31",
    ChangeKind.MENDED: "32",
    ChangeKind.NEW: CYAN,
    ChangeKind.GONE: DIM,
    ChangeKind.OTHER: "33",
}


def write(report: Report, stream: TextIO) -> None:
    """Write the report to ``stream`` as suits it; see :func:`page_for`."""
    stream.write(_written(page_for(stream), report))


def render(report: Report, *, width: int = 80, color: bool = False, encoding: str = "utf-8") -> str:
    """The report as text that ends with a newline.

    Args:
        report: what to show.
        width: columns to fill; fewer than 48 are taken as 48.
        color: use ANSI colours.
        encoding: the text can be encoded in it; what it lacks is escaped, symbols are replaced.
    """
    return _written(Page(width=width, color=color, encoding=encoding), report)


def _written(page: Page, report: Report) -> str:
    contents = digest(report)
    _head(page, report)
    if report.changes is not None:
        _changes(page, account(report.changes))
    _pending(page, report)
    _damaged(page, report)
    _shared(page, contents)
    known = {(s.shared_by, s.fix): s.number for s in contents.shared}
    for verdict, group in contents.by_verdict():
        page.heading(f"{verdict.capitalize()} ({len(group):,})", VERDICT_STYLE[verdict])
        _entries(page, verdict, [entry for _, entry in group], known, report.started_at)
    _accepted(page, report, contents)
    _not_checked(page, contents)
    if report.outcome == "done":
        page.blank()
        counts = headline(report.summary) + damaged.among(report) + accepted.among(report)
        page.say(f"{counts}, in {report.duration_s:.1f} s", style=BOLD)
        for others in filter(None, [left_out(report), told_phrase(report)]):
            page.say(others, style=DIM)
    return page.text()


def _pending(page: Page, report: Report) -> None:
    told = pending.lines(report)
    if told:
        page.heading(pending.HEADING)
    for text, resting in told:
        page.say(text, mark=page.symbols[Severity.INFO])
        if resting:
            page.say(resting, indent=2, style=DIM)


def _damaged(page: Page, report: Report) -> None:
    told = damaged.lines(report)
    if told:
        page.heading(damaged.HEADING, ALARM)
    for text, fix, named_by in told:
        page.say(text, mark=page.symbols[Severity.ERROR], mark_style="31")
        if fix:
            page.say(fix, indent=2, mark=page.symbols["fix"], mark_style=CYAN)
        if named_by:
            page.say(named_by, indent=2, style=DIM)


def _changes(page: Page, changed: Account) -> None:
    if changed.nothing:
        page.blank()
        page.say(changed.quiet, style=DIM)
        return
    page.heading(changed.title)
    if changed.remark:
        page.say(changed.remark, style=DIM)
    tell(page, changed)


def tell(page: Page, changed: Account) -> None:
    """Say what changed, and what that did."""
    for kind, groups in changed.groups:
        for group in groups[:GROUP_LIMIT]:
            _group(page, group, f"{KIND_WORDS[kind]:<6}", _KIND_STYLE[kind])
        if left := groups[GROUP_LIMIT:]:
            rest = f"and {plural(count(left), 'more workflow')}, by {len(left):,} other causes"
            page.say(rest, indent=7, style=DIM)
    for group in changed.by_program:
        _group(page, group, page.symbols[Severity.INFO], DIM)
    changes, left_out = changed.host
    if changes:
        page.blank()
        page.say("On the host:", style=BOLD)
    for change in changes[:HOST_LIMIT]:
        page.say(change.text, mark=page.symbols[Severity.INFO])
    _more(page, len(changes[HOST_LIMIT:]) + left_out)
    if changed.not_known:
        page.blank()
        page.say(f"Not compared: {listed(changed.not_known, NAMES_LIMIT, '; ')}", style=DIM)


def _group(page: Page, group: Group, mark: str, style: str) -> None:
    page.say(group.text, mark=mark, mark_style=style)
    page.say(group.names, indent=len(mark) + 1, style=DIM)


def _more(page: Page, number: int) -> None:
    if number > 0:
        page.say(f"and {number:,} more", style=DIM, indent=2)


def _head(page: Page, report: Report) -> None:
    when = in_utc(report.started_at).strftime("%Y-%m-%d %H:%M:%S UTC")
    page.say(f"ComfyWatchman on {report.host}, {when}", style=BOLD)
    for alarm in report.alarms:
        page.say(f"ALARM: {alarm}", mark="!", mark_style=ALARM, style=BOLD)
    for sentence in not_told(report):
        page.say(f"Not told: {sentence}", mark="!", mark_style="33", style=BOLD)
    if report.outcome != "done":
        page.say(f"{report.outcome}: {report.reason}", mark="!", mark_style="33", style=BOLD)
        return
    server = server_phrase(report.server)
    page.say(f"{server}, {plural(report.server.node_types, 'node type')}", style=DIM)
    if report.asked_server:
        page.say(asked_phrase(report), style=DIM)
    page.blank()
    counts = [(verdict, getattr(report.summary, verdict)) for verdict in READING_ORDER]
    page.parts(
        [
            (f"{page.symbols[verdict]} {number:,} {verdict}", VERDICT_STYLE[verdict])
            for verdict, number in counts
            if number
        ]
        or [("no workflows found", BOLD)],
        indent=2,
    )
    if report.summary.total:
        room = min(page.width - 4, 60)
        page.parts(
            [
                (page.bar[verdict] * length, VERDICT_STYLE[verdict])
                for (verdict, _), length in zip(
                    counts, proportions([number for _, number in counts], room), strict=True
                )
                if length
            ],
            indent=2,
            between="",
        )


def _shared(page: Page, contents: Digest) -> None:
    if not contents.shared:
        return
    page.heading("Fix first: problems that workflows share")
    for shared in contents.shared:
        page.say(
            f"{shared.message} ({plural(len(shared.workflows), 'workflow')})",
            mark=f"{shared.number:>2}",
            mark_style=BOLD,
        )
        if shared.fix:
            page.say(shared.fix, indent=3, mark=page.symbols["fix"], mark_style=CYAN)


def _entries(
    page: Page,
    verdict: Verdict,
    entries: list[Entry],
    known: dict[tuple[tuple[str, str], str | None], int],
    now: datetime,
) -> None:
    symbol, style = page.symbols[verdict], VERDICT_STYLE[verdict]
    silent: list[str] = []
    for entry in entries:
        workflow = entry.workflow
        if verdict is Verdict.RUNNABLE and not entry.problems:
            silent.append(workflow.name)
            continue
        page.blank()
        page.say(workflow.name, style=BOLD, mark=symbol, mark_style=style, limit=NAME_LIMIT)
        if verdict is not Verdict.RUNNABLE and (since := past.in_words(workflow, now)):
            page.say(since, indent=2, style=DIM)
        if workflow.will_fail:
            page.say(damaged.WILL_FAIL, indent=2, style=ALARM)
        if workflow.accepted:
            page.say(accepted.in_words(workflow.accepted), indent=2, style=CYAN)
        if verdict is Verdict.PARTIAL:
            page.say(_outputs(workflow.outputs_lost), indent=2, mark="lost:", mark_style=style)
            page.say(_outputs(workflow.outputs), indent=2, mark="still runs:", mark_style="32")
        for problem in entry.problems[:PROBLEM_LIMIT]:
            _problem(page, problem, known.get((problem.shared_by, problem.fix)))
        _more(page, len(entry.problems) - PROBLEM_LIMIT)
        if verdict is Verdict.UNKNOWN:
            for sentence in workflow.not_checked[:BLIND_SPOT_LIMIT]:
                page.say(sentence, indent=2, mark=symbol, mark_style=style)
    if silent:
        page.blank()
        page.columns(silent, mark=symbol, mark_style=style)


def _accepted(page: Page, report: Report, contents: Digest) -> None:
    entries = [entry for _, entry in contents.accepted]
    if entries:
        page.heading(f"Accepted ({len(entries):,})", CYAN)
        for entry in entries:
            _entries(page, entry.workflow.verdict, [entry], {}, report.started_at)
    results = accepted.worth_showing(report)
    if results:
        page.heading(accepted.HEADING)
        for result in results[: accepted.RESULT_LIMIT]:
            page.say(result.text, mark="!", mark_style="33")
        _more(page, len(results) - accepted.RESULT_LIMIT)


def _problem(page: Page, problem: Problem, number: int | None) -> None:
    symbol = page.symbols[problem.severity]
    page.say(problem.message, indent=2, mark=symbol, mark_style=SEVERITY_STYLE[problem.severity])
    for text in problem.also[:ALSO_LIMIT]:
        page.say(text, indent=4, mark=page.symbols[Severity.INFO])
    where = "; ".join(
        f" {page.symbols[Severity.INFO]} ".join(filter(None, (place.node, place.input)))
        for place in problem.places
    )
    page.say(f"{problem.code}: {where}" if where else problem.code, indent=4, style=DIM)
    if problem.fix:
        fix = f"see {number} at the top" if number else problem.fix
        page.say(fix, indent=4, mark=page.symbols["fix"], mark_style=CYAN)


def _outputs(outputs: Iterable[Output]) -> str:
    return ", ".join(f"{output.node_type} #{output.node_id}" for output in outputs)


def _not_checked(page: Page, contents: Digest) -> None:
    if contents.not_checked:
        page.heading("Not checked")
        for sentence, workflows in contents.not_checked[:BLIND_SPOT_LIMIT]:
            where = f" ({plural(workflows, 'workflow')})" if workflows else ""
            page.say(sentence + where, mark=page.symbols[Severity.INFO])
        _more(page, len(contents.not_checked) - BLIND_SPOT_LIMIT)
