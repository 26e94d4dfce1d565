"""The fleet for a terminal: what needs a person, and a line for each host."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from comfywatchman.fleet import telling
from comfywatchman.fleet.model import HOST_STATES
from comfywatchman.fleet.words import counted, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from comfywatchman.fleet.model import Fleet, Host

HOST_LIMIT = 60
"""With more hosts than this, only those that are not well have a line."""
CHANGE_LIMIT = 20
"""Changes under one heading."""
NAMES_LIMIT = 6
"""Hosts named of one change or damage."""
_NAME_WIDTH = 32
_HEAD = ("HOST", "STATE", "RELEASE", "TIMER", "REPORT", "RUNNABLE", "PARTIAL", "BROKEN", "UNKNOWN")


def render(fleet: Fleet) -> str:
    """The fleet in lines of text, without a newline at the end."""
    lines = [
        headline(fleet),
        *filter(
            None, [telling.what_changed(fleet), telling.failing(fleet), telling.accepted(fleet)]
        ),
        "",
    ]
    shown = [h for h in fleet.hosts if len(fleet.hosts) <= HOST_LIMIT or h.state != "well"]
    rows = [_HEAD, *map(_row, shown[:HOST_LIMIT])]
    if shown:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = zip(row[:5], widths[:5], strict=True)
            counts = zip(row[5:], widths[5:], strict=True)
            line = [cell.ljust(width) for cell, width in cells]
            line += [count.rjust(width) for count, width in counts]
            lines.append("  ".join(line).rstrip())
    if len(shown) > HOST_LIMIT:
        lines.append(f"and {len(shown) - HOST_LIMIT:,} more that are not well")
    if len(shown) < len(fleet.hosts):
        lines.append(f"and {len(fleet.hosts) - len(shown):,} that are well")
    told = [(host.name, r.message) for host in shown for r in host.remarks]
    if told:
        lines.append("")
        lines += [f"{name}: {message}" for name, message in told[:HOST_LIMIT]]
        if len(told) > HOST_LIMIT:
            lines.append(f"and {len(told) - HOST_LIMIT:,} more remarks")
    return "\n".join([*lines, *_damaged(fleet), *_changes(fleet)])


def _damaged(fleet: Fleet) -> Iterator[str]:
    if fleet.damaged:
        yield from ("", "Damaged model files:")
    marks = telling.marks(fleet)
    for file in fleet.damaged[:CHANGE_LIMIT]:
        ways, otherwise = telling.damages(file)
        said = [f"{damage.message}: {_names(damage.hosts, marks)}" for damage in ways]
        yield f"{telling.named_by(file)}: {'; '.join([*said, *otherwise])}"
    if (more := len(fleet.damaged) - CHANGE_LIMIT + fleet.damaged_left_out) > 0:
        yield f"and {more:,} more"


def _changes(fleet: Fleet) -> Iterator[str]:
    marks = telling.marks(fleet)
    for title, found in telling.groups(fleet):
        yield from ("", f"{title}:")
        for change in found[:CHANGE_LIMIT]:
            sure = telling.how_sure(change)
            yield (
                f"{telling.when(fleet, change)}: {change.text}{f' [{sure}]' if sure else ''}: "
                f"{telling.what_it_did(change)}: {_names(change.hosts, marks)}"
            )
        if len(found) > CHANGE_LIMIT:
            yield f"and {len(found) - CHANGE_LIMIT:,} more"
    if fleet.changes_left_out:
        yield f"and {fleet.changes_left_out:,} more changes, in the hosts' own reports"


def _names(hosts: Sequence[str], marks: dict[str, str]) -> str:
    names = telling.marked(hosts[:NAMES_LIMIT], marks)
    if more := len(hosts) - len(names):
        names.append(f"and {more:,} more")
    return ", ".join(names)


def headline(fleet: Fleet) -> str:
    """The fleet in one sentence, e.g. ``20 hosts: 18 well, 1 stale, 1 silent``."""
    if not fleet.hosts:
        return "there are no hosts"
    counts = Counter(host.state for host in fleet.hosts)
    states = ", ".join(
        f"{counts[state]:,} {state if state != 'problem' else 'with a problem'}"
        for state in reversed(HOST_STATES)
        if counts[state]
    )
    return f"{counted(len(fleet.hosts), 'host')}: {states}"


def _row(host: Host) -> tuple[str, ...]:
    name = host.name
    if len(name) > _NAME_WIDTH:
        name = name[: _NAME_WIDTH - 3] + "..."
    report = "none" if host.report_age_s is None else f"{span(host.report_age_s)} ago"
    counts = (host.runnable, host.partial, host.broken, host.unknown)
    return (
        name,
        host.state.upper() if host.state != "well" else "well",
        host.release or "-",
        host.timer.sub if host.timer else "-",
        report,
        *(str(count) if host.report_age_s is not None else "-" for count in counts),
    )
