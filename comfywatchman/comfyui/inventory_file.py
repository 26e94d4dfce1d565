"""``inventory.json``: a host's model files and node packs, for comparison with other hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.escape import NAME_LIMIT, visible

if TYPE_CHECKING:
    from datetime import datetime

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.inventory import Inventory

MODEL_LIMIT = 50_000
"""Model files listed; a host with more says how many were left out."""
PACK_LIMIT = 5_000
"""Packs listed."""


def listing(catalog: Catalog, inventory: Inventory, taken_at: datetime) -> dict[str, Any]:
    """The content of ``inventory.json``.

    Returns:
        ``schema_version`` (1), ``taken_at`` (ISO 8601), ``comfyui_version`` (or None), ``models``
        (file names, sorted, by model folder; empty if the server does not list them), ``packs``
        (number of node types by pack, i.e. by folder below ``custom_nodes``) and ``left_out``
        (how many models and packs are beyond the limits).
    """
    models: dict[str, list[str]] = {}
    room = MODEL_LIMIT
    for folder, files in sorted(inventory.models.items()):
        kept = sorted({visible(file, limit=NAME_LIMIT) for file in files[:room]})
        room -= min(len(files), room)
        models[visible(folder, limit=NAME_LIMIT)] = kept
    packs = sorted(catalog.node_types_by_pack.items())
    return {
        "schema_version": 1,
        "taken_at": taken_at.isoformat(),
        "comfyui_version": catalog.version,
        "models": models,
        "packs": {visible(pack, limit=NAME_LIMIT): count for pack, count in packs[:PACK_LIMIT]},
        "left_out": sum(map(len, inventory.models.values()))
        - (MODEL_LIMIT - room)
        + max(0, len(packs) - PACK_LIMIT),
    }
