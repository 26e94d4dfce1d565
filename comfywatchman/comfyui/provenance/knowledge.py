"""What was learned about packs, from whichever source."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from comfywatchman.comfyui.provenance.manager import changes

if TYPE_CHECKING:
    from comfywatchman.comfyui.provenance.folder import OnDisk
    from comfywatchman.comfyui.provenance.manager import Change, Listed
    from comfywatchman.comfyui.provenance.node_map import NodeMap


class MapSource(Enum):
    """Where a node map was read."""

    SERVER = "server"
    FOLDER = "folder"


@dataclass(slots=True)
class Knowledge:
    """Everything that is known of packs in one cycle. It grows while it is asked for more.

    Attributes:
        installed: Manager's list of packs on the disk; None if there is none to be had.
        at_start: Manager's list as of the server's start; None as well.
        node_map: which packs claim which node types; None if it was not asked for, or is not there.
        map_source: where the node map is from.
        failures: by folder, the last line of the error that kept a pack from being imported; None
            where the reason is not known.
        failing: node types that are registered, and whose own code fails when the server is to
            describe them.
        on_disk: what lies below ``custom_nodes``; None if that cannot be seen.
    """

    installed: list[Listed] | None = None
    at_start: list[Listed] | None = None
    node_map: NodeMap | None = None
    map_source: MapSource = MapSource.SERVER
    failures: dict[str, str | None] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    on_disk: OnDisk | None = None

    def changes(self) -> dict[str, Change]:
        """What became of packs since the server was started, by folder."""
        if self.installed is None or self.at_start is None:
            return {}
        return changes(self.installed, self.at_start)
