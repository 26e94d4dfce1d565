"""All that a verdict rests on but the workflow itself; it can be given back piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.inventory import Inventory


@dataclass(frozen=True, slots=True)
class World:
    """What workflows were judged against in one full cycle.

    Attributes:
        catalog: the node types of the server, its version and its rules of replacement.
        inventory: the files that workflows can name.
        depth: ``max_workflow_depth``.
        size: ``max_workflow_size``, in bytes.
    """

    catalog: Catalog
    inventory: Inventory
    depth: int
    size: int
