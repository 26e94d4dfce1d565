"""The packs in ComfyUI's folder on this host, and the node map that Manager keeps among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.comfyui.files import begin_of, names_in
from comfywatchman.comfyui.provenance import failures, node_map
from comfywatchman.comfyui.provenance.pack import alike

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.provenance.node_map import NodeMap

_MOST_ENTRIES: Final = 20_000
_DISABLED: Final = ".disabled"
MANAGER: Final = "comfyui-manager"
_MAP: Final = "extension-node-map.json"
_LOG: Final = "comfyui.log"


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What lies below ``custom_nodes``, spelled as :func:`~.pack.alike` does.

    Attributes:
        enabled: what the server loads when it starts: folders, and single files.
        disabled: what it leaves out.
        manager: the folder of Manager itself, if it is one of them.
    """

    enabled: frozenset[str]
    disabled: frozenset[str]
    manager: Path | None = None


def look(custom_nodes: Path) -> OnDisk | None:
    """List the packs on the disk; None if the folder is not there or cannot be read."""
    entries = _entries(custom_nodes)
    if entries is None:
        return None
    enabled: set[str] = set()
    disabled: set[str] = set()
    manager = None
    for name in entries:
        if name == _DISABLED:
            moved = _entries(custom_nodes / name) or []
            disabled.update(alike(entry.partition("@")[0]) for entry in moved)
        elif name.endswith(_DISABLED):
            disabled.add(alike(name.removesuffix(_DISABLED)))
        elif not name.startswith((".", "__")):
            enabled.add(alike(name))
            if alike(name) == MANAGER:
                manager = custom_nodes / name
    return OnDisk(frozenset(enabled), frozenset(disabled), manager)


def read_map(disk: OnDisk) -> NodeMap | None:
    """Read the node map in Manager's folder; None if there is none that can be read."""
    if disk.manager is None:
        return None
    raw = begin_of(disk.manager / _MAP, node_map.MOST_BYTES + 1)
    if raw is None or len(raw) > node_map.MOST_BYTES:
        return None
    return node_map.parse(raw)


def read_log(user: Path) -> dict[str, str | None]:
    """Read the failed imports in the log that lies in ComfyUI's user folder."""
    raw = begin_of(user / _LOG, failures.MOST_BYTES)
    return {} if raw is None else failures.from_log(raw.decode(errors="replace"))


def _entries(folder: Path) -> list[str] | None:
    try:
        return names_in(folder, _MOST_ENTRIES)
    except (OSError, ValueError):
        return None
