"""What the server's Manager says of the packs that are installed: its two lists, compared.

One list is read from the disk at each request, the other is that of the server's start. Both hold
only packs with a git remote, or with pyproject and .tracking: one that is not listed may well be
there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.provenance.pack import LONGEST, alike, pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_LISTED: Final = 20_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of Manager's list.

    Attributes:
        folder: the pack's folder, without the suffix of a disabled one.
        version: its version or commit; None if Manager does not know it.
        ids: what names it: its id in the registry, and ``OWNER/NAME`` of its remote.
        enabled: whether the server loads it when it starts.
    """

    folder: str
    version: str | None
    ids: tuple[str, ...]
    enabled: bool

    @property
    def keys(self) -> frozenset[str]:
        """What it may be called, spelled as :func:`~.pack.alike` does."""
        named = (found.key for name in self.ids if (found := pack(name)) is not None)
        return frozenset({alike(self.folder), *named})


class ChangeKind(Enum):
    """What has become of a pack since the server was started."""

    ADDED = "added"
    UPDATED = "updated"
    DISABLED = "disabled"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of a pack on the disk since the server was started.

    Attributes:
        kind: what has.
        folder: the pack's folder.
        before: its version at the start, shortened if it is a commit.
        after: its version now.
    """

    kind: ChangeKind
    folder: str
    before: str | None = None
    after: str | None = None


def listed(answer: object) -> list[Listed] | None:
    """Read Manager's list of installed packs; None if it is none."""
    if not isinstance(answer, dict):
        return None
    entries = list(answer.items())[:_MOST_LISTED]
    read = [_entry(key, entry) for key, entry in entries]
    return [entry for entry in read if entry is not None]


def changes(now: Iterable[Listed], at_start: Iterable[Listed]) -> dict[str, Change]:
    """Compare the list of now with that of the server's start.

    Returns:
        By folder, spelled as :func:`~.pack.alike` does.
    """
    now, at_start = list(now), list(at_start)
    here, then = _enabled(now), _enabled(at_start)
    disabled = {alike(entry.folder) for entry in now if not entry.enabled}
    found: dict[str, Change] = {}
    for key, entry in here.items():
        old = then.get(key)
        if old is None:
            found[key] = Change(ChangeKind.ADDED, entry.folder, after=_short(entry.version))
        elif old.version and entry.version and old.version != entry.version:
            found[key] = Change(
                ChangeKind.UPDATED, entry.folder, _short(old.version), _short(entry.version)
            )
    for key, old in then.items():
        if key not in here:
            kind = ChangeKind.DISABLED if key in disabled else ChangeKind.REMOVED
            found[key] = Change(kind, old.folder, before=_short(old.version))
    return found


def _entry(key: object, entry: Any) -> Listed | None:
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST or not isinstance(entry, dict):
        return None
    version = entry.get("ver")
    version = version.strip()[:LONGEST] if isinstance(version, str) else None
    ids = [entry.get("cnr_id"), entry.get("aux_id")]
    enabled = entry.get("enabled") is not False
    return Listed(
        folder=_without_suffix(key) if not enabled else key,
        version=None if version in (None, "", _UNKNOWN) else version,
        ids=tuple(name for name in ids if isinstance(name, str) and 0 < len(name) <= LONGEST),
        enabled=enabled,
    )


def _without_suffix(key: str) -> str:
    """The folder that a disabled pack had: ``X.disabled``, ``X@1_3_5`` and ``X@nightly``."""
    return key.removesuffix(".disabled").partition("@")[0] or key


def _enabled(entries: Iterable[Listed]) -> Mapping[str, Listed]:
    return {alike(entry.folder): entry for entry in entries if entry.enabled}


def _short(version: str | None) -> str | None:
    return version[:7] if version is not None and _COMMIT.fullmatch(version) else version
