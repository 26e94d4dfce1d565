"""The fleet as one HTML page that needs nothing but itself.

A thousand hosts with five hundred workflows are half a million cells: they are in the page as data,
each distinct finding and each run of equal cells once, and its script draws those that are seen.
"""

from __future__ import annotations

from collections import Counter
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from comfywatchman.fleet import telling
from comfywatchman.fleet.model import HOST_STATES, STATES
from comfywatchman.report import page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jinja2 import Template

    from comfywatchman.fleet.model import Fleet, FleetChange, Group, Host

REMARK_LIMIT = 100
"""Remarks shown above the table; each host's own are shown with it."""
REMARKS_AT_FIRST = 8
CHANGE_LIMIT = 20
"""Changes in the page under one heading."""
CHANGES_AT_FIRST = 5
CHANGE_NAMES_LIMIT = 6
"""Names in one list of a change."""
DIFFERENCE_LIMIT = 100
"""Differences shown of models, and of packs."""
NAMES_LIMIT = 12
"""Names in one list."""

_HOST_STATES = (
    ("well", "well"),
    ("problem", "with a problem"),
    ("stale", "stale"),
    ("silent", "silent"),
)
_TEMPLATES = files(__package__) / "templates"


def render(fleet: Fleet) -> str:
    """The page, without a line of anybody else's: inline style and script, no address to fetch.

    What hosts wrote is in it as escaped text, or as JSON in which no mark-up can begin. Its
    Content-Security-Policy allows exactly its own style and script, by their hashes.
    """
    remarks = [(h.name, r) for h in fleet.hosts for r in h.remarks if r.problem]
    groups = list(_changes(fleet))
    return _template().render(
        fleet=fleet,
        title=_title(fleet),
        counts=Counter(host.state for host in fleet.hosts),
        bar=list(_bar(fleet.hosts)),
        remarks=remarks[:REMARK_LIMIT],
        said=telling.what_changed(fleet),
        failing=telling.failing(fleet),
        groups=groups,
        changes_left_out=fleet.changes_left_out
        + len(fleet.changes)
        - sum(len(found) for _, found in groups),
        marks=telling.marks(fleet),
        when=partial(telling.when, fleet),
        remarks_left_out=max(0, len(remarks) - REMARK_LIMIT),
        data=page.embedded(data(fleet)),
        difference_limit=DIFFERENCE_LIMIT,
    )


@cache
def _template() -> Template:
    environment = page.environment(_TEMPLATES)
    environment.globals.update(
        page.inline(
            [page.STYLE, _TEMPLATES / "fleet.css"],
            [page.THEME, page.ELEMENTS, _TEMPLATES / "fleet.js"],
        ),
        names_limit=NAMES_LIMIT,
        change_names_limit=CHANGE_NAMES_LIMIT,
        changes_at_first=CHANGES_AT_FIRST,
        remarks_at_first=REMARKS_AT_FIRST,
        bytes_of=telling.bytes_of,
        variant=telling.variant,
        damages=telling.damages,
        named_by=telling.named_by,
        what_it_did=telling.what_it_did,
        how_sure=telling.how_sure,
        host_states=_HOST_STATES,
    )
    return environment.get_template("fleet.html.j2")


def data(fleet: Fleet) -> dict[str, Any]:
    """The fleet as the page's script reads it.

    Returns:
        ``states`` (their names), ``made`` (ISO 8601), ``hosts`` (as in ``fleet.json``),
        ``acceptances`` (each distinct one once),
        ``findings`` (each distinct one once: code, severity, message, fix, where), ``changes`` (the
        hosts of each, in the order of the page) and ``workflows`` (``[name, groups]``). A group is
        ``[state, verdict, findings, left out, outputs lost, not checked, hosts]``: state and
        verdict by their place in ``states``, findings by theirs in ``findings``, hosts as runs:
        place of the first, number, place of the next, ...; one that is accepted has next the place
        of how in ``acceptances``; one that will fail has that or null, and the names of the files
        for which it will.
    """
    place = {host.name: position for position, host in enumerate(fleet.hosts)}

    def group_of(group: Group) -> list[Any]:
        return [
            STATES.index(group.state),
            STATES.index(group.verdict),
            group.findings,
            group.findings_left_out,
            group.outputs_lost,
            group.not_checked,
            _runs(place[name] for name in group.hosts),
            *marks_of(group),
        ]

    def marks_of(group: Group) -> list[Any]:
        said = group.accepted
        accepted = acceptances.setdefault(said, len(acceptances)) if said else None
        if group.will_fail:
            return [accepted, group.damaged]
        return [] if accepted is None else [accepted]

    acceptances: dict[str, int] = {}
    workflows = [[w.name, [group_of(group) for group in w.groups]] for w in fleet.workflows]
    return {
        "states": STATES,
        "made": fleet.made_at,
        "hosts": [_host(host) for host in fleet.hosts],
        "findings": [[f.code, f.severity, f.message, f.fix, f.where] for f in fleet.findings],
        "changes": [
            _runs(place[name] for name in change.hosts)
            for _, found in _changes(fleet)
            for change in found
        ],
        "acceptances": list(acceptances),
        "workflows": workflows,
    }


def _changes(fleet: Fleet) -> Iterator[tuple[str, list[FleetChange]]]:
    for title, found in telling.groups(fleet):
        yield title, found[:CHANGE_LIMIT]


def _host(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "state": host.state,
        "remarks": [[remark.message, remark.problem] for remark in host.remarks],
        "collected": host.collected_age_s,
        "report": host.report_age_s,
        "release": host.release,
        "version": host.comfywatchman_version,
        "comfyui": host.comfyui_version,
        "timer": host.timer and host.timer.sub,
        "cycle": host.cycle and [host.cycle.outcome, host.cycle.reason, host.cycle.age_s],
        "counts": [host.broken, host.partial, host.unknown, host.runnable],
        **({"accepted": host.accepted} if host.accepted else {}),
        **({"fail": host.will_fail} if host.will_fail else {}),
    }


def _runs(positions: Iterable[int]) -> list[int]:
    runs: list[int] = []
    for position in sorted(positions):
        if runs and runs[-2] + runs[-1] == position:
            runs[-1] += 1
        else:
            runs += [position, 1]
    return runs


def _title(fleet: Fleet) -> str:
    if not fleet.hosts:
        return "There are no hosts"
    unwell = sum(host.needs_attention for host in fleet.hosts)
    total = len(fleet.hosts)
    if unwell:
        of_all = "The host needs" if total == 1 else f"{unwell:,} of {total:,} hosts need"
        return f"{of_all} attention"
    if any(host.state != "well" for host in fleet.hosts):
        return "No host needs attention"
    return "The host is well" if total == 1 else f"All {total:,} hosts are well"


def _bar(hosts: Sequence[Host]) -> Iterator[tuple[str, float, float]]:
    """State, start and length of each part of the bar, in thousandths of its width."""
    counts = Counter(host.state for host in hosts)
    start = 0.0
    for state in HOST_STATES:
        length = 1000 * counts[state] / max(1, len(hosts))
        if length:
            yield state, round(start, 2), round(length, 2)
        start += length
