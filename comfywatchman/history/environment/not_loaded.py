"""Packs that are others on the disk than those that the server has loaded, and what rests on them.

Of a pack in use, each workflow has a finding (``pack_restart_pending``) where Manager tells; this
is the list of the host, also where no Manager does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.files import begin_of
from comfywatchman.comfyui.provenance.manager import ChangeKind
from comfywatchman.comfyui.provenance.pack import alike, pack
from comfywatchman.history.environment import process
from comfywatchman.history.facts import FactKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from comfywatchman.comfyui.provenance.knowledge import Knowledge
    from comfywatchman.history.facts import Environment, Value
    from comfywatchman.results import WorkflowReport
    from comfywatchman.time_limit import Budget

_LOG: Final = 4 * 1024**2
_MOVED: Final = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} .* (\d{1,12}) [+-]\d{4}(?:\t|$)")
_SAYS_ITS_VERSION: Final = ("pyproject.toml", "__init__.py")
_LEAST: Final = 60.0
"""Seconds after the start within which a pack may still have been loaded as it is now."""


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """A pack that is another one after the next restart.

    Attributes:
        folder: its folder below ``custom_nodes``.
        kind: what became of it.
        before: its version, or the begin of its commit, as the server has loaded it; None if it
            was not there, or is not known.
        after: the same on the disk.
        sure: whether Manager says so; else it is told by times on the disk.
        workflows: paths of those that rest on it, as reports name them.
    """

    folder: str
    kind: ChangeKind
    before: str | None
    after: str | None
    sure: bool
    workflows: tuple[str, ...]


def started(argv: Sequence[str], budget: Budget, proc: Path = process.PROC) -> float | None:
    """When the server was started, in seconds since 1970; None if that is not to be seen.

    Raises:
        Blind: the time is over.
    """
    found = process.running(argv, budget, proc)
    return found[0].started if len(found) == 1 else None


def not_loaded(
    environment: Environment,
    knowledge: Knowledge,
    reports: Iterable[WorkflowReport],
    custom_nodes: Path | None = None,
    since: float | None = None,
) -> list[NotLoaded]:
    """List the packs that changed on the disk since the server was started, by folder.

    Args:
        environment: of this cycle.
        knowledge: what was learned of the server's packs in this cycle.
        reports: of all workflows.
        custom_nodes: the folder of the packs, if it is on this host.
        since: when the server was started, if it is known (:func:`started`).
    """
    known = environment.facts.get(FactKind.PACK, {})
    found = {
        change.folder: (change.kind, change.before, change.after, True)
        for change in knowledge.changes().values()
    }
    if knowledge.at_start is None and custom_nodes is not None and since is not None:
        for folder, value in known.items():
            moment = _changed_at(custom_nodes, folder) if value.get("enabled") else None
            if moment is not None and moment > since + _LEAST:
                loaded = "node_types" in value
                kind = ChangeKind.UPDATED if loaded else ChangeKind.ADDED
                found[folder] = kind, None, _version(value), False
    resting = _by_pack(reports)
    return [
        NotLoaded(folder, *found[folder], workflows=_workflows(resting, folder, known, knowledge))
        for folder in sorted(found)
    ]


def _changed_at(custom_nodes: Path, folder: str) -> float | None:
    """When a pack was updated: as git wrote it down, else the time of the file that tells."""
    path = custom_nodes / folder
    log = begin_of(path / ".git/logs/HEAD", _LOG)
    moved = _MOVED.match(log.splitlines()[-1]) if log else None
    if moved is not None:
        return float(moved[1])
    times = []
    for file in (*(path / name for name in _SAYS_ITS_VERSION), custom_nodes / f"{folder}.py"):
        try:
            times.append(file.stat().st_mtime)
        except (OSError, ValueError):
            continue
    return max(times, default=None)


def _version(value: Value) -> str | None:
    version, commit = value.get("version"), value.get("commit")
    if isinstance(version, str):
        return version
    return commit[:7] if isinstance(commit, str) else None


def _by_pack(reports: Iterable[WorkflowReport]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for report in reports:
        for key in {named.key for used in report.packs if (named := pack(used.name))}:
            found.setdefault(key, []).append(report.path)
    return found


def _workflows(
    resting: Mapping[str, Sequence[str]],
    folder: str,
    known: Mapping[str, Value],
    knowledge: Knowledge,
) -> tuple[str, ...]:
    """Those that need a pack, under whatever name they know it."""
    keys = {alike(folder)}
    entries = [*(knowledge.installed or ()), *(knowledge.at_start or ())]
    for entry in entries:
        if alike(entry.folder) == alike(folder):
            keys |= entry.keys
    for name, value in known.items():
        if alike(name) == alike(folder) and (named := pack(value.get("id"))) is not None:
            keys.add(named.key)
    return tuple(sorted({path for key in keys for path in resting.get(key, ())}))
