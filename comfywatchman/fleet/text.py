"""The fleet for a terminal: what needs a person, and a line for each host."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from comfywatchman.fleet.model import HOST_STATES
from comfywatchman.fleet.words import span

if TYPE_CHECKING:
    from comfywatchman.fleet.model import Fleet, Host

HOST_LIMIT = 60
"""With more hosts than this, only those that are not well have a line."""
_NAME_WIDTH = 32
_HEAD = ("HOST", "STATE", "RELEASE", "TIMER", "REPORT", "RUNNABLE", "PARTIAL", "BROKEN", "UNKNOWN")


def render(fleet: Fleet) -> str:
    """The fleet in lines of text, without a newline at the end."""
    lines = [headline(fleet), ""]
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
    return "\n".join(lines)


def headline(fleet: Fleet) -> str:
    """The fleet in one sentence, e.g. ``20 hosts: 18 well, 1 stale, 1 silent``."""
    if not fleet.hosts:
        return "there are no hosts"
    counts = Counter(host.state for host in fleet.hosts)
    number = len(fleet.hosts)
    states = ", ".join(
        f"{counts[state]:,} {state if state != 'problem' else 'with a problem'}"
        for state in reversed(HOST_STATES)
        if counts[state]
    )
    return f"{number:,} host{'s' * (number != 1)}: {states}"


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
