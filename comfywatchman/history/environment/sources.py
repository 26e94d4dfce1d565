"""What the readers are given: what the cycle has learned already, and where things are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.model_files import Listing

if TYPE_CHECKING:
    from pathlib import Path

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.files import Folders
    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.comfyui.provenance.knowledge import Knowledge
    from comfywatchman.history.facts import Scalar, Value

Digest = Callable[[Mapping[str, Any]], str]
"""Of a node type's declaration, without what it says of files."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the environment of a cycle is read from.

    Attributes:
        catalog: the node types of the server.
        inventory: the files that it lists, and that lie in its folders.
        digest: makes the digest of a declaration.
        system_stats: the whole answer of ``/system_stats``; None if it is not known.
        comfyui_dir: ComfyUI's own folder, when it is on this host.
        folders: the folders it uses, when they are.
        knowledge: what was learned of its packs; None if nobody asked.
        settings: those of ours that verdicts depend on, by their names.
        program: what tells our own program from another version of it.
        model_files: what is seen of its model files.
        driver: version of the GPU's driver, if the caller knows it.
        seconds: how long all that may take.
    """

    catalog: Catalog
    inventory: Inventory
    digest: Digest
    system_stats: Mapping[str, Any] | None = None
    comfyui_dir: Path | None = None
    folders: Folders | None = None
    knowledge: Knowledge | None = None
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    program: Value = field(default_factory=dict)
    model_files: Listing = field(default_factory=Listing)
    driver: str | None = None
    seconds: float = 20.0

    @property
    def system(self) -> Mapping[str, Any]:
        """What the server says of itself; empty if that is not known."""
        found = (self.system_stats or {}).get("system")
        return found if isinstance(found, Mapping) else {}

    @property
    def argv(self) -> Sequence[str]:
        """The command line that the server was started with; empty if it is not known."""
        found = self.system.get("argv")
        return [a for a in found if isinstance(a, str)] if isinstance(found, list) else []
