"""What changed, and how hosts differ, in the words that all forms have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.fleet.changes import RECENT_S
from comfywatchman.fleet.words import counted, moment, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from comfywatchman.fleet.model import (
        Damage,
        DamagedFile,
        Fleet,
        FleetChange,
        Group,
        ModelSize,
        PackVariant,
    )

_LATER_S: Final = 3600.0
_COMMIT_SHOWN: Final = 7
_HASH_SHOWN: Final = 12
_DAMAGES: Final = 3
"""Ways told in which one file is damaged: hosts may lack any number of its bytes."""


def what_changed(fleet: Fleet) -> str:
    """The last day in a sentence without its stop; empty if no host keeps a history.

    For example: ``2 of 40 hosts got worse in the last 24 hours: KSampler of PACK 1.2.0 → 1.3.0
    dropped output 2 (14 workflows on 2 hosts) and 1 other cause``.
    """
    total, unknown = len(fleet.hosts), len(fleet.changes_unknown)
    if unknown == total and not fleet.worse_hosts:
        return ""
    worse = f"{len(fleet.worse_hosts):,}" if fleet.worse_hosts else "none"
    sentence = f"{worse} of {counted(total, 'host')} got worse in the last 24 hours"
    causes = sorted(
        (c for c in fleet.changes if c.cause and c.kind != "program" and age(fleet, c) <= RECENT_S),
        key=lambda change: (-change.worse, -len(change.hosts)),
    )
    if causes:
        sentence += f": {causes[0].text} ({what_it_did(causes[0])})"
        if more := len(causes) - 1:
            sentence += f" and {counted(more, 'other cause')}"
    return sentence + (f"; of {counted(unknown, 'host')} it is not known" if unknown else "")


def accepted(fleet: Fleet) -> str:
    """How many workflows somebody has accepted as they are, by reports that are fresh.

    For example ``2 workflows are accepted as they are, on 3 hosts``; empty where none is.
    """
    hosts, number = set[str](), 0
    for workflow in fleet.workflows:
        on = {h for g in workflow.groups if counts_for_nothing(g) for h in g.hosts}
        hosts |= on
        number += bool(on)
    if not number:
        return ""
    verb, it = ("is", "it is") if number == 1 else ("are", "they are")
    return (
        f"{counted(number, 'workflow')} {verb} accepted as {it}, on {counted(len(hosts), 'host')}"
    )


def failing(fleet: Fleet) -> str:
    """How many workflows will fail that nobody has accepted, by reports that are fresh.

    For example ``2 workflows will fail for damaged model files, on 3 hosts``; empty where none is.
    """
    bad = [
        {h for g in w.groups if fails(g) and g.accepted is None for h in g.hosts}
        for w in fleet.workflows
    ]
    number, on = sum(map(bool, bad)), len(set().union(*bad))
    if not number:
        return ""
    return (
        f"{counted(number, 'workflow')} will fail for damaged model files, on {counted(on, 'host')}"
    )


def counts_for_nothing(group: Group) -> bool:
    """Whether somebody has accepted it as it is, on hosts whose reports are fresh."""
    return group.accepted is not None and group.state == group.verdict


def fails(group: Group) -> bool:
    """Whether ComfyUI will take it and fail, on hosts whose reports are fresh."""
    return group.will_fail and group.state == group.verdict


def groups(fleet: Fleet) -> Iterator[tuple[str, list[FleetChange]]]:
    """The changes under their headings, newest first; our own new versions apart."""
    ours = [change for change in fleet.changes if change.kind == "program"]
    theirs = [change for change in fleet.changes if change.kind != "program"]
    for title, found in (
        ("Workflows got worse", [change for change in theirs if change.cause]),
        ("Also changed", [change for change in theirs if not change.cause]),
        ("ComfyWatchman's own new version: no change of the hosts", ours),
    ):
        if found:
            yield title, found


def what_it_did(change: FleetChange) -> str:
    """How much, and on how many hosts, e.g. ``14 workflows on 6 hosts``."""
    on = f"on {counted(len(change.hosts), 'host')}"
    if not change.worse:
        return on
    anew = "judged anew " if change.kind == "program" else ""
    return f"{counted(change.worse, 'workflow')} {anew}{on}"


def when(fleet: Fleet, change: FleetChange) -> str:
    """How long ago, by the time at which the picture was made, e.g. ``2 h ago``."""
    last, first = age(fleet, change), _before(fleet, change.first_at)
    since = f", first {span(first)} ago" if first - last > _LATER_S else ""
    return f"{span(last)} ago{since}"


def how_sure(change: FleetChange) -> str:
    """What is to be said of a cause that is not proven; else empty."""
    if change.sureness == "likely":
        return "likely, not proven"
    return "one of several, which cannot be told apart" if change.sureness == "one_of" else ""


def age(fleet: Fleet, change: FleetChange) -> float:
    """Seconds since the last cycle that found it."""
    return _before(fleet, change.last_at)


def marks(fleet: Fleet) -> dict[str, str]:
    """The hosts whose last full cycle is long ago, each with the state that says so."""
    return {host.name: host.state for host in fleet.hosts if host.state in ("stale", "silent")}


def marked(hosts: Sequence[str], marks: dict[str, str]) -> list[str]:
    """The names of hosts, those marked that may have changed since."""
    return [f"{host} ({marks[host]})" if host in marks else host for host in hosts]


def bytes_of(of: ModelSize) -> str:
    """A model file as some hosts have it, e.g. ``1,024 bytes (SHA-256 0a1b2c3d4e5f…)``."""
    sha256 = f" (SHA-256 {of.sha256[:_HASH_SHOWN]}…)" if of.sha256 else ""
    return f"{of.size:,} bytes{sha256}"


def variant(of: PackVariant) -> str:
    """A pack as some hosts have it, e.g. ``1.2.0 (0a1b2c3), 212 node types``."""
    known = (of.version, of.commit, of.enabled, of.import_failed)
    if not of.node_types and all(each is None for each in known):
        return "missing"
    commit = of.commit[:_COMMIT_SHOWN] if of.commit else None
    parts = [
        f"{of.version} ({commit})" if of.version and commit else of.version or commit or "",
        counted(of.node_types, "node type"),
        "disabled" if of.enabled is False else "",
        "could not be imported" if of.import_failed else "",
    ]
    return ", ".join(filter(None, parts))


def damages(of: DamagedFile) -> tuple[list[Damage], list[str]]:
    """In which ways a file is damaged, and of those beyond the limit in how many and where."""
    more = of.damages[_DAMAGES:]
    on = sum(len(damage.hosts) for damage in more)
    return of.damages[:_DAMAGES], [f"in other ways on {counted(on, 'host')}"] if more else []


def named_by(of: DamagedFile) -> str:
    """Which file it is, and how much it matters, e.g. ``2 workflows name vae/ae.safetensors``."""
    number = of.workflows
    by = (
        f"{counted(number, 'workflow')} name{'s' * (number == 1)}"
        if number
        else "no workflow names"
    )
    return f"{by} {of.folder}/{of.name}"


def _before(fleet: Fleet, at: str) -> float:
    return max(0.0, (moment(fleet.made_at) or 0.0) - (moment(at) or 0.0))
