"""The report as GitHub-flavoured Markdown, for tickets and chats."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from comfywatchman import streams
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
    SEVERITY_WORDS,
    Digest,
    Entry,
    Place,
    Problem,
    asked_phrase,
    digest,
    gate_worth_showing,
    headline,
    left_out,
    not_told,
    plural,
    server_phrase,
    told_phrase,
)
from comfywatchman.report.markup import code, prose
from comfywatchman.results import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from comfywatchman.results import Output, Report


def write(report: Report, stream: TextIO) -> None:
    """Write the report to ``stream``, with escapes for what its encoding lacks."""
    stream.write(streams.encodable(render(report), stream))


def render(report: Report) -> str:
    """The report as Markdown that ends with a newline; nothing in it acts, whoever wrote it."""
    contents = digest(report)
    lines = [f"# ComfyWatchman on {code(report.host)}", ""]
    for alarm in report.alarms:
        lines += [f"**ALARM:** {prose(alarm)}", ""]
    for sentence in not_told(report):
        lines += [f"**Not told:** {prose(sentence)}", ""]
    if report.outcome == "done":
        counts = headline(report.summary) + damaged.among(report) + accepted.among(report)
        lines += [f"**{counts}**", ""]
    else:
        lines += [f"**{report.outcome}:** {prose(report.reason)}", ""]
    when = in_utc(report.started_at)
    lines += [
        f"- Checked {when:%Y-%m-%d %H:%M:%S} UTC in {report.duration_s:.1f} s",
        f"- ComfyWatchman {prose(report.comfywatchman_version)}",
        f"- {prose(server_phrase(report.server))}, {plural(report.server.node_types, 'node type')}",
        *(f"- {prose(others)}" for others in [left_out(report), told_phrase(report)] if others),
        *([f"- {asked_phrase(report)}"] if report.asked_server else []),
        *(f"- {answer.name}: {prose(answer.reason)}" for answer in gate_worth_showing(report)),
        "",
    ]
    if report.changes is not None:
        lines += tell(account(report.changes))
    if told := pending.lines(report):
        lines += [f"## {pending.HEADING}", ""]
        for text, resting in told:
            lines.append(f"- {prose(text)}")
            if resting:
                lines.append(f"    - {prose(resting)}")
        lines.append("")
    lines += _damaged(report)
    if contents.shared:
        lines += ["## Fix first: problems that workflows share", ""]
        for shared in contents.shared:
            among = plural(len(shared.workflows), "workflow")
            lines.append(f"{shared.number}. {prose(shared.message)} ({among})")
            if shared.fix:
                lines.append(f"    - Fix: {prose(shared.fix)}")
        lines.append("")
    for verdict, group in contents.by_verdict():
        lines += [f"## {verdict.capitalize()} ({len(group):,})", ""]
        lines += _entries(verdict, [entry for _, entry in group], report.started_at)
    lines += _accepted(report, contents)
    if contents.not_checked:
        lines += ["## Not checked", ""]
        for sentence, workflows in contents.not_checked[:BLIND_SPOT_LIMIT]:
            among = f" ({plural(workflows, 'workflow')})" if workflows else ""
            lines.append(f"- {prose(sentence)}{among}")
        lines += _more(len(contents.not_checked) - BLIND_SPOT_LIMIT)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _damaged(report: Report) -> list[str]:
    told = damaged.lines(report)
    if not told:
        return []
    lines = [f"## {damaged.HEADING}", ""]
    for text, fix, named_by in told:
        lines.append(f"- {prose(text)}")
        lines += [f"    - Fix: {prose(fix)}"] if fix else []
        lines += [f"    - {prose(named_by)}"] if named_by else []
    return [*lines, ""]


def tell(changed: Account) -> list[str]:
    """Say what changed, and what that did."""
    if changed.nothing:
        return [changed.quiet, ""]
    lines = [f"## {changed.title}", ""]
    if changed.remark:
        lines += [changed.remark, ""]
    for kind, groups in changed.groups:
        for group in groups[:GROUP_LIMIT]:
            lines += _group(group, f"**{KIND_WORDS[kind]}:** ")
        if left := groups[GROUP_LIMIT:]:
            more = plural(count(left), "more workflow")
            lines.append(f"- and {more}, by {len(left):,} other causes")
    for group in changed.by_program:
        lines += _group(group, "")
    if changed.groups or changed.by_program:
        lines.append("")
    changes, left_out = changed.host
    if changes:
        lines += ["### On the host", ""]
        lines += [f"- {prose(change.text)}" for change in changes[:HOST_LIMIT]]
        lines += [*_more(len(changes[HOST_LIMIT:]) + left_out), ""]
    if changed.not_known:
        lines += ["### What could not be compared", ""]
        lines += [f"- {prose(sentence)}" for sentence in changed.not_known[:BLIND_SPOT_LIMIT]]
        lines += [*_more(len(changed.not_known) - BLIND_SPOT_LIMIT), ""]
    return lines


def _group(group: Group, lead: str) -> list[str]:
    names = [code(workflow.name) for workflow in group.workflows]
    return [f"- {lead}{prose(group.text)}", f"    - {listed(names, NAMES_LIMIT)}"]


def _entries(verdict: Verdict, entries: Iterable[Entry], now: datetime) -> list[str]:
    lines: list[str] = []
    silent: list[str] = []
    for entry in entries:
        workflow = entry.workflow
        if verdict is Verdict.RUNNABLE and not entry.problems:
            silent.append(code(workflow.name))
            continue
        lines += [f"### {code(workflow.name)}", ""]
        if verdict is not Verdict.RUNNABLE and (since := past.in_words(workflow, now)):
            lines.append(f"- {since}")
        if workflow.will_fail:
            lines.append(f"- **{damaged.WILL_FAIL}**")
        if workflow.accepted:
            lines.append(f"- {workflow.verdict}, {prose(accepted.in_words(workflow.accepted))}")
        if verdict is Verdict.PARTIAL:
            lines.append(f"- **lost:** {_outputs(workflow.outputs_lost)}")
            lines.append(f"- **still runs:** {_outputs(workflow.outputs)}")
        for problem in entry.problems[:PROBLEM_LIMIT]:
            lines += _problem(problem)
        lines += _more(len(entry.problems) - PROBLEM_LIMIT)
        if verdict is Verdict.UNKNOWN:
            blind = workflow.not_checked
            lines += [f"- **not checked:** {prose(text)}" for text in blind[:BLIND_SPOT_LIMIT]]
            lines += _more(len(blind) - BLIND_SPOT_LIMIT)
        lines.append("")
    if silent:
        lines += [", ".join(silent), ""]
    return lines


def _accepted(report: Report, contents: Digest) -> list[str]:
    lines: list[str] = []
    entries = [entry for _, entry in contents.accepted]
    if entries:
        lines += [f"## Accepted ({len(entries):,})", ""]
        for entry in entries:
            lines += _entries(entry.workflow.verdict, [entry], report.started_at)
    results = accepted.worth_showing(report)
    if results:
        lines += [f"## {accepted.HEADING}", ""]
        lines += [f"- {prose(result.text)}" for result in results[: accepted.RESULT_LIMIT]]
        lines += [*_more(len(results) - accepted.RESULT_LIMIT), ""]
    return lines


def _problem(problem: Problem) -> list[str]:
    where = "; ".join(map(_place, problem.places))
    lines = [
        f"- **{SEVERITY_WORDS[problem.severity]}:** {prose(problem.message)}",
        *(f"    - {prose(text)}" for text in problem.also[:ALSO_LIMIT]),
        f"    - {code(problem.code)}" + (f" at {where}" if where else ""),
    ]
    if problem.fix:
        lines.append(f"    - Fix: {prose(problem.fix)}")
    return lines


def _place(place: Place) -> str:
    return ", input ".join(code(part) for part in (place.node, place.input) if part)


def _outputs(outputs: Iterable[Output]) -> str:
    return ", ".join(code(f"{output.node_type} #{output.node_id}") for output in outputs)


def _more(number: int) -> list[str]:
    return [f"- and {number:,} more"] if number > 0 else []
