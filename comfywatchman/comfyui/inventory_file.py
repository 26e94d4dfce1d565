"""``inventory.json``: a host's model files and node packs, for comparison with other hosts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.escape import NAME_LIMIT, visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.comfyui.inventory import Inventory

    _Facts = Mapping[Any, Mapping[str, Mapping[str, object]]]

INVENTORY_SCHEMA_VERSION: Final = 2
MODEL_LIMIT = 50_000
"""Model files listed; a host with more says how many were left out."""
PACK_LIMIT = 5_000
"""Packs listed."""

_TEXTS: Final = ("version", "commit")
_TRUTHS: Final = ("enabled", "import_failed")


def listing(
    catalog: Catalog,
    inventory: Inventory,
    taken_at: datetime,
    facts: _Facts | None = None,
    hashes: Mapping[tuple[str, str], str] | None = None,
) -> dict[str, Any]:
    """The content of ``inventory.json``.

    Args:
        catalog: the node types of the server.
        inventory: its model files.
        taken_at: start of the cycle, UTC.
        facts: what is known of the host's ``pack``, ``model`` and ``embedding``, by name; see
            :class:`comfywatchman.history.facts.FactKind`. None if nothing is.
        hashes: SHA-256 of model files that were read as a whole, by folder and name.

    Returns:
        ``schema_version`` (2), ``taken_at`` (ISO 8601), ``comfyui_version`` (or None), ``models``
        (for each model folder its files, sorted, each with its size in bytes or None; empty if the
        server does not list them), ``packs`` (by folder below ``custom_nodes``: ``node_types``,
        their number, and, where it is known, ``version``, ``commit``, ``enabled`` and
        ``import_failed``) and ``left_out`` (how many models and packs are beyond the limits); where
        any is known, ``hashes`` (for each model folder the SHA-256 of files in it).
    """
    known = facts or {}
    models: dict[str, dict[str, int | None]] = {}
    room = MODEL_LIMIT
    for folder, files in sorted(inventory.models.items()):
        models[visible(folder, limit=NAME_LIMIT)] = {
            visible(file, limit=NAME_LIMIT): _size(known, folder, file)
            for file in sorted(files[:room])
        }
        room -= min(len(files), room)
    known_hashes: dict[str, dict[str, str]] = {}
    for (folder, file), sha256 in sorted((hashes or {}).items()):
        of_folder = known_hashes.setdefault(visible(folder, limit=NAME_LIMIT), {})
        of_folder[visible(file, limit=NAME_LIMIT)] = sha256
    packs = _packs(catalog.node_types_by_pack, known.get("pack", {}))
    return {
        "schema_version": INVENTORY_SCHEMA_VERSION,
        "taken_at": taken_at.isoformat(),
        "comfyui_version": catalog.version,
        "models": models,
        "packs": dict(sorted(packs.items())[:PACK_LIMIT]),
        "left_out": sum(map(len, inventory.models.values()))
        - (MODEL_LIMIT - room)
        + max(0, len(packs) - PACK_LIMIT),
        **({"hashes": known_hashes} if known_hashes else {}),
    }


def _size(known: _Facts, folder: str, file: str) -> int | None:
    kind, name = "model", f"{folder}/{file}"
    if folder == "embeddings" and "embedding" in known:
        kind, name = "embedding", os.path.splitext(file)[0]  # noqa: PTH122  (a name, which may hold anything)
    size = known.get(kind, {}).get(visible(name), {}).get("size")
    return size if isinstance(size, int) and size >= 0 else None


def _packs(
    counts: Mapping[str, int], known: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """Each pack with what is known of it; one that offers nothing has 0 node types."""
    packs: dict[str, dict[str, object]] = {
        visible(pack, limit=NAME_LIMIT): {"node_types": count} for pack, count in counts.items()
    }
    for folder, value in sorted(known.items()):
        # The server's name of a pack ends at its first dot: that of ``nodes.py`` is ``nodes``.
        loaded = folder.partition(".")[0]
        cut = loaded in counts and loaded not in known and value.get("enabled") is not False
        name = loaded if cut and folder not in counts else folder
        pack = packs.setdefault(visible(name, limit=NAME_LIMIT), {"node_types": 0})
        for key in _TEXTS:
            if isinstance(told := value.get(key), str) and told:
                pack[key] = visible(told, limit=NAME_LIMIT)
        for key in _TRUTHS:
            if isinstance(told := value.get(key), bool):
                pack[key] = told
    return packs
