"""How the models and the node packs of hosts differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comfywatchman.escape import NAME_LIMIT, visible
from comfywatchman.fleet.model import ModelDifference, PackDifference, PackVariant
from comfywatchman.fleet.shape import DamagedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfywatchman.fleet.shape import Shape

DIFFERENCE_LIMIT: Final = 500
"""Differences in models that are listed; the rest is counted."""
NAMES_LIMIT: Final = 200
"""Files listed of one difference."""


@dataclass(frozen=True, slots=True)
class HostInventory:
    """The models and packs of one host.

    Attributes:
        host: its name.
        models: folder and file name of each.
        packs: number of node types by pack.
    """

    host: str
    models: frozenset[tuple[str, str]]
    packs: dict[str, int]

    @classmethod
    def read(cls, host: str, inventory: Shape) -> HostInventory:
        """Read a host's ``inventory.json``.

        Raises:
            DamagedError: it is not what it should be.
        """
        folders, packs = inventory.child("models"), inventory.child("packs")
        models = {
            (visible(folder, limit=NAME_LIMIT), visible(file, limit=NAME_LIMIT))
            for folder in (folders.raw() if folders else ())
            for file in (folders.texts(folder) if folders else ())
        }
        counts = {}
        for pack in packs.raw() if packs else ():
            count = packs.number(pack) if packs else None
            if count is None or count < 1:
                raise DamagedError(f"pack {pack!r} has no number of node types")
            counts[visible(pack, limit=NAME_LIMIT)] = int(count)
        return cls(host, frozenset(models), counts)


def compare(
    inventories: Sequence[HostInventory],
) -> tuple[list[ModelDifference], int, list[PackDifference]]:
    """What some of the hosts have and others have not.

    Returns:
        The differences in models, those on most hosts first; how many of them are beyond the
        limit; and the differences in packs, by name.
    """
    # One bit a host: a fleet has thousands of models, and most are on the same hosts.
    everywhere = (1 << len(inventories)) - 1
    holders: dict[tuple[str, str], int] = {}
    for bit, inventory in enumerate(inventories):
        for model in inventory.models:
            holders[model] = holders.get(model, 0) | 1 << bit
    groups: dict[tuple[str, int], list[str]] = {}
    for (folder, file), bits in sorted(holders.items()):
        if bits != everywhere:
            groups.setdefault((folder, bits), []).append(file)
    ordered = sorted(groups.items(), key=lambda g: (-g[0][1].bit_count(), g[0][0]))

    kept = []
    for (folder, bits), files in ordered[:DIFFERENCE_LIMIT]:
        has = [bool(bits >> bit & 1) for bit in range(len(inventories))]
        kept.append(
            ModelDifference(
                folder=folder,
                names=files[:NAMES_LIMIT],
                on=[s.host for s, there in zip(inventories, has, strict=True) if there],
                missing_on=[s.host for s, there in zip(inventories, has, strict=True) if not there],
            )
        )
    left_out = sum(len(files) for _, files in ordered) - sum(len(d.names) for d in kept)
    return kept, left_out, _packs(inventories)


def _packs(inventories: Sequence[HostInventory]) -> list[PackDifference]:
    differences = []
    for pack in sorted(
        {pack for inventory in inventories for pack in inventory.packs}, key=str.casefold
    ):
        variants: dict[int, list[str]] = {}
        for inventory in inventories:
            variants.setdefault(inventory.packs.get(pack, 0), []).append(inventory.host)
        if len(variants) > 1:
            ordered = sorted(variants.items(), key=lambda v: (-len(v[1]), -v[0]))
            differences.append(PackDifference(pack, [PackVariant(*variant) for variant in ordered]))
    return differences
