"""The fleet as GitHub-flavoured Markdown, for tickets and chats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.fleet import telling
from comfywatchman.fleet.model import STATES
from comfywatchman.fleet.text import headline
from comfywatchman.fleet.words import span
from comfywatchman.report.markup import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from comfywatchman.fleet.model import Fleet, FleetFinding, Host, Version, Workflow

MATRIX_HOSTS = 12
"""Hosts up to which there is a table of hosts and workflows."""
ROW_LIMIT = 200
"""Rows of a table; ``fleet.json`` has them all."""
CHANGE_LIMIT = 50
"""Changes under one heading."""
NAMES_LIMIT = 10
"""Names in one list."""


def render(fleet: Fleet) -> str:
    """The fleet as Markdown that ends with a newline; nothing in it acts, whoever wrote it."""
    lines = [
        "# The fleet",
        "",
        f"**{headline(fleet)}**",
        "",
        f"Made {fleet.made_at} by ComfyWatchman {prose(fleet.comfywatchman_version)}.",
        "",
    ]
    lines += [f"- {prose(remark)}" for remark in fleet.remarks]
    lines += _attention(fleet.hosts)
    lines += _changes(fleet)
    lines += _hosts(fleet.hosts)
    lines += _workflows(fleet)
    lines += _versions("Releases", fleet.releases)
    lines += _versions("ComfyUI", fleet.comfyui_versions)
    lines += _differences(fleet)
    return "\n".join(lines).rstrip("\n") + "\n"


def _attention(hosts: Sequence[Host]) -> list[str]:
    told = [(h, r) for h in hosts for r in h.remarks if r.problem]
    noted = [(h, r) for h in hosts for r in h.remarks if not r.problem]
    lines: list[str] = []
    for title, remarks in (("Needs attention", told), ("Worth knowing", noted)):
        if remarks:
            lines += [f"## {title}", ""]
            lines += [f"- {code(h.name)}: {prose(r.message)}" for h, r in remarks[:ROW_LIMIT]]
            lines += [*_more(len(remarks) - ROW_LIMIT), ""]
    return lines


def _changes(fleet: Fleet) -> list[str]:
    said = telling.what_changed(fleet)
    if not said and not fleet.changes:
        return []
    marks = telling.marks(fleet)
    lines = ["## What changed", "", *([prose(said), ""] if said else [])]
    for title, found in telling.groups(fleet):
        lines += [f"### {title}", ""]
        for change in found[:CHANGE_LIMIT]:
            sure = telling.how_sure(change)
            lines.append(
                f"- {telling.when(fleet, change)}: {prose(change.text)}"
                f"{f' ({sure})' if sure else ''}: **{telling.what_it_did(change)}**: "
                f"{_names(telling.marked(change.hosts, marks))}"
            )
        lines += [*_more(len(found) - CHANGE_LIMIT), ""]
    if fleet.changes_left_out:
        lines += [f"and {fleet.changes_left_out:,} more in the hosts' own reports", ""]
    return lines


def _hosts(hosts: Sequence[Host]) -> list[str]:
    if not hosts:
        return []
    head = ("Host", "State", "Release", "Timer", "Last cycle", "Last full report", "Verdicts")
    rows = []
    for host in hosts[:ROW_LIMIT]:
        cycle = host.cycle
        ended = f", {span(cycle.age_s)} ago" if cycle and cycle.age_s is not None else ""
        rows.append(
            (
                code(host.name),
                host.state if host.state == "well" else f"**{host.state}**",
                code(host.release) if host.release else "",
                prose(host.timer.sub) if host.timer else "",
                f"{prose(cycle.outcome)}{ended}" if cycle else "",
                "" if host.report_age_s is None else f"{span(host.report_age_s)} ago",
                _verdicts(host),
            )
        )
    return ["## Hosts", "", *_table(head, rows), *_more(len(hosts) - ROW_LIMIT), ""]


def _verdicts(host: Host) -> str:
    counts = {
        "broken": host.broken,
        "partial": host.partial,
        "unknown": host.unknown,
        "runnable": host.runnable,
    }
    said = ", ".join(f"{number:,} {verdict}" for verdict, number in counts.items() if number)
    said += f"; {host.will_fail:,} of them will fail" if host.will_fail else ""
    return f"{said}; {host.accepted:,} of them accepted" if host.accepted else said


def _workflows(fleet: Fleet) -> list[str]:
    workflows = fleet.workflows
    if not workflows:
        return []
    if len(fleet.hosts) <= MATRIX_HOSTS:
        head = ["Workflow", *(code(host.name) for host in fleet.hosts)]
        rows = [_matrix_row(workflow, fleet.hosts) for workflow in workflows[:ROW_LIMIT]]
    else:
        head = ["Workflow", "Runs on", "Hosts that can run it now", "Elsewhere"]
        rows = [
            (
                code(workflow.name),
                f"{len(workflow.runnable_on):,} of {len(fleet.hosts):,}",
                _names(workflow.runnable_on),
                _elsewhere(workflow),
            )
            for workflow in workflows[:ROW_LIMIT]
        ]
    said = filter(None, (telling.failing(fleet), telling.accepted(fleet)))
    lines = [
        "## Workflows",
        "",
        *(line for each in said for line in (each, "")),
        *_table(head, rows),
    ]
    lines += [*_more(len(workflows) - ROW_LIMIT), ""]
    return lines + _reasons(workflows, fleet.findings)


def _matrix_row(workflow: Workflow, hosts: Iterable[Host]) -> tuple[str, ...]:
    states = {
        name: group.state
        + " (will fail)" * telling.fails(group)
        + " (accepted)" * telling.counts_for_nothing(group)
        for group in workflow.groups
        for name in group.hosts
    }
    return code(workflow.name), *(
        states.get(host.name, "silent" if host.state == "silent" else "") for host in hosts
    )


def _elsewhere(workflow: Workflow) -> str:
    said = []
    for state in STATES:
        groups = [
            group
            for group in workflow.groups
            if group.state == state and (state != "runnable" or group.will_fail)
        ]
        if groups:
            let_be = sum(len(g.hosts) for g in groups if telling.counts_for_nothing(g))
            fail = sum(len(g.hosts) for g in groups if telling.fails(g))
            among = [f"{fail:,} will fail"] * bool(fail) + [f"{let_be:,} accepted"] * bool(let_be)
            number = sum(len(g.hosts) for g in groups)
            said.append(f"{number:,} {state}" + f" ({', '.join(among)})" * bool(among))
    return ", ".join(said)


def _reasons(workflows: Iterable[Workflow], findings: Sequence[FleetFinding]) -> list[str]:
    """Why, for each workflow that is broken, partial or will fail somewhere: its first finding."""
    bad = [
        (workflow, group)
        for workflow in workflows
        for group in workflow.groups
        if (group.state in ("broken", "partial") or telling.fails(group)) and group.findings
    ]
    if not bad:
        return []
    lines = []
    for workflow, group in bad[:ROW_LIMIT]:
        first = findings[group.findings[0]]
        fix = f" Fix: {prose(first.fix)}" if first.fix else ""
        state = group.state + " and will fail" * telling.fails(group)
        on = f"{code(workflow.name)} is {state} on {_names(group.hosts)}"
        on += f", {prose(group.accepted)}" if group.accepted else ""
        lines.append(f"- {on}: {prose(first.message)}{fix}")
    return ["## Why", "", *lines, *_more(len(bad) - ROW_LIMIT), ""]


def _versions(title: str, versions: Sequence[Version]) -> list[str]:
    if not versions:
        return []
    lines = [
        f"- {code(version.value) if version.value else 'not known'}: {_names(version.hosts)}"
        for version in versions[:ROW_LIMIT]
    ]
    return [f"## {title}", "", *lines, *_more(len(versions) - ROW_LIMIT), ""]


def _differences(fleet: Fleet) -> list[str]:
    lines: list[str] = []
    if fleet.damaged:
        lines += ["## Damaged model files", ""]
        for damaged in fleet.damaged[:ROW_LIMIT]:
            ways, otherwise = telling.damages(damaged)
            said = [f"{prose(each.message)} on {_names(each.hosts)}" for each in ways]
            lines.append(f"- {prose(telling.named_by(damaged))}: {'; '.join([*said, *otherwise])}")
        lines += [*_more(len(fleet.damaged) - ROW_LIMIT + fleet.damaged_left_out), ""]
    if fleet.models:
        lines += ["## Models that differ", ""]
        for model in fleet.models[:ROW_LIMIT]:
            lines.append(
                f"- {_names(model.names)} in {code(model.folder)}: on {_names(model.on)}; missing "
                f"on {_names(model.missing_on)}"
            )
        more = len(fleet.models) - ROW_LIMIT
        lines += [*_more(max(0, more)), ""]
    if fleet.model_sizes:
        lines += ["## Models of one name with other bytes", ""]
        for file in fleet.model_sizes[:ROW_LIMIT]:
            sizes = "; ".join(f"{telling.bytes_of(s)} on {_names(s.hosts)}" for s in file.sizes)
            lines.append(f"- {code(file.name)} in {code(file.folder)}: {sizes}")
        more = len(fleet.model_sizes) - ROW_LIMIT
        lines += [*_more(more), ""]
    if fleet.packs:
        lines += ["## Node packs that differ", ""]
        for pack in fleet.packs[:ROW_LIMIT]:
            variants = "; ".join(
                f"{prose(telling.variant(v))} on {_names(v.hosts)}" for v in pack.variants
            )
            lines.append(f"- {code(pack.name)}: {variants}")
        lines += [*_more(len(fleet.packs) - ROW_LIMIT), ""]
    return lines


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        # A bar ends the cell, in a code span too, and readers differ in what a backslash before it
        # means after another one.
        return "| " + " | ".join(cell.replace("|", "\\x7c") for cell in cells) + " |"

    return [line(head), "|" + " --- |" * len(head), *map(line, rows)]


def _names(names: Sequence[str]) -> str:
    more = len(names) - NAMES_LIMIT
    shown = ", ".join(map(code, names[:NAMES_LIMIT]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _more(number: int) -> list[str]:
    return ["", f"and {number:,} more in fleet.json"] if number > 0 else []
