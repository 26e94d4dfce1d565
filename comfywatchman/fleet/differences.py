"""How the models and the node packs of hosts differ."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from comfywatchman.fleet.model import (
    Damage,
    DamagedFile,
    ModelDifference,
    ModelSize,
    ModelSizes,
    PackDifference,
    PackVariant,
)
from comfywatchman.fleet.shape import DamagedError
from comfywatchman.fleet.words import shown, shown_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.fleet.shape import Shape

DIFFERENCE_LIMIT: Final = 500
"""Differences in models that are listed; the rest is counted."""
NAMES_LIMIT: Final = 200
"""Files listed of one difference."""


class Pack(NamedTuple):
    """A pack on a host; None is what is not known there."""

    node_types: int
    version: str | None = None
    commit: str | None = None
    enabled: bool | None = None
    import_failed: bool | None = None


_MISSING: Final = Pack(0)


class DamagedModel(NamedTuple):
    """A damaged model file of a host."""

    folder: str
    name: str
    message: str
    fix: str | None
    workflows: int

    @classmethod
    def read(cls, model: Shape) -> DamagedModel:
        """Read one of a report's ``damaged_models``.

        Raises:
            DamagedError: it is not what it should be.
        """
        fix = model.text("fix")
        return cls(
            shown_name(model.need("folder")),
            shown_name(model.need("name")),
            shown(model.need("message")),
            None if fix is None else shown(fix),
            len(model.texts("workflows")),
        )


@dataclass(frozen=True, slots=True)
class HostInventory:
    """The models and packs of one host.

    Attributes:
        host: its name.
        models: size in bytes by folder and file name; None if it is not known.
        packs: by name.
        sees_disk: whether a pack that is not among them is known not to be there.
        hashes: SHA-256 of models that were read as a whole, by folder and file name.
    """

    host: str
    models: dict[tuple[str, str], int | None]
    packs: dict[str, Pack]
    sees_disk: bool
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def read(cls, host: str, inventory: Shape) -> HostInventory:
        """Read a host's ``inventory.json``, of schema 2 or 1, which has only names and counts.

        Raises:
            DamagedError: it is not what it should be.
        """
        read_files, read_packs = (
            (_names, _counts) if inventory.number("schema_version") == 1 else (_sizes, _packs)
        )
        models, packs = inventory.child("models"), inventory.child("packs")
        found = (
            {} if packs is None else {shown_name(name): pack for name, pack in read_packs(packs)}
        )
        return cls(
            host,
            {} if models is None else dict(read_files(models)),
            found,
            any(pack.enabled is not None for pack in found.values()),
            {} if (hashes := inventory.child("hashes")) is None else dict(_hashes(hashes)),
        )


@dataclass(frozen=True, slots=True)
class Differences:
    """What is not the same on all hosts; see :class:`comfywatchman.fleet.model.Fleet`.

    Attributes:
        models: those on most hosts first.
        models_left_out: how many are beyond the limit.
        sizes: models of one name and another size or content, by folder and name.
        sizes_left_out: how many are beyond the limit.
        packs: by name.
    """

    models: list[ModelDifference]
    models_left_out: int
    sizes: list[ModelSizes]
    sizes_left_out: int
    packs: list[PackDifference]


def compare(inventories: Sequence[HostInventory]) -> Differences:
    """What some of the hosts have and others have not, or have in another version or size."""
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
    sizes, sizes_left_out = _other_sizes(inventories)
    return Differences(
        models=kept,
        models_left_out=left_out,
        sizes=sizes,
        sizes_left_out=sizes_left_out,
        packs=_other_packs(inventories),
    )


def damaged(hosts: Mapping[str, Sequence[DamagedModel]]) -> tuple[list[DamagedFile], int]:
    """The model files that are damaged, each with its hosts, and how many are beyond the limit."""
    files: dict[tuple[str, str], dict[tuple[str, str | None], list[str]]] = {}
    named: dict[tuple[str, str], int] = defaultdict(int)
    for host, models in hosts.items():
        for folder, name, message, fix, workflows in models:
            files.setdefault((folder, name), {}).setdefault((message, fix), []).append(host)
            named[folder, name] = max(named[folder, name], workflows)
    found = [
        DamagedFile(
            *file,
            named[file],
            [
                Damage(*how, on)
                for how, on in sorted(ways.items(), key=lambda w: (-len(w[1]), w[0][0]))
            ],
        )
        for file, ways in files.items()
    ]
    found.sort(
        key=lambda f: (not f.workflows, -sum(len(d.hosts) for d in f.damages), f.folder, f.name)
    )
    return found[:DIFFERENCE_LIMIT], max(0, len(found) - DIFFERENCE_LIMIT)


def _other_sizes(inventories: Sequence[HostInventory]) -> tuple[list[ModelSizes], int]:
    """Those within the limit, and how many are beyond it."""
    first: dict[tuple[str, str], int] = {}
    first_hash: dict[tuple[str, str, int], str] = {}
    differ: set[tuple[str, str]] = set()
    by_content: set[tuple[str, str]] = set()
    for inventory in inventories:
        for model, size in inventory.models.items():
            if size is None:
                continue
            if first.setdefault(model, size) != size:
                differ.add(model)
            sha256 = inventory.hashes.get(model)
            if sha256 is not None and first_hash.setdefault((*model, size), sha256) != sha256:
                by_content.add(model)
    found = []
    for model in sorted(differ | by_content)[:DIFFERENCE_LIMIT]:
        hosts: dict[tuple[int, str], list[str]] = {}
        for inventory in inventories:
            if (size := inventory.models.get(model)) is not None:
                sha256 = inventory.hashes.get(model, "") if model in by_content else ""
                hosts.setdefault((size, sha256), []).append(inventory.host)
        ordered = sorted(hosts.items(), key=lambda each: (-len(each[1]), each[0]))
        variants = [ModelSize(size, on, sha256 or None) for (size, sha256), on in ordered]
        found.append(ModelSizes(*model, variants))
    return found, len(differ | by_content) - len(found)


def _other_packs(inventories: Sequence[HostInventory]) -> list[PackDifference]:
    differences = []
    for name in sorted({name for i in inventories for name in i.packs}, key=str.casefold):
        variants: dict[Pack, list[str]] = {}
        told: set[Pack] = set()
        for inventory in inventories:
            pack = inventory.packs.get(name)
            variants.setdefault(pack or _MISSING, []).append(inventory.host)
            told.add(pack or Pack(0, enabled=False if inventory.sees_disk else None))
        # What a host does not say of a pack makes it no other pack.
        if any(len({v for v in values if v is not None}) > 1 for values in zip(*told, strict=True)):
            ordered = sorted(variants.items(), key=_most_first)
            differences.append(
                PackDifference(
                    name,
                    [PackVariant(pack.node_types, hosts, *pack[1:]) for pack, hosts in ordered],
                )
            )
    return differences


def _names(folders: Shape) -> Iterator[tuple[tuple[str, str], int | None]]:
    for folder in folders.raw():
        for file in folders.texts(folder):
            yield (shown_name(folder), shown_name(file)), None


def _sizes(folders: Shape) -> Iterator[tuple[tuple[str, str], int | None]]:
    for folder in folders.raw():
        files = folders.child(folder)
        for file in files.raw() if files else ():
            size = files.number(file) if files else None
            yield (shown_name(folder), shown_name(file)), None if size is None else int(size)


def _hashes(folders: Shape) -> Iterator[tuple[tuple[str, str], str]]:
    for folder in folders.raw():
        files = folders.child(folder)
        for file in files.raw() if files else ():
            if files and (sha256 := files.text(file)):
                yield (shown_name(folder), shown_name(file)), shown_name(sha256)


def _counts(packs: Shape) -> Iterator[tuple[str, Pack]]:
    for name in packs.raw():
        yield name, Pack(_number(packs, name, name, least=1))


def _packs(packs: Shape) -> Iterator[tuple[str, Pack]]:
    for name in packs.raw():
        if (pack := packs.child(name)) is not None:
            yield (
                name,
                Pack(
                    _number(pack, "node_types", name, least=0),
                    _text(pack, "version"),
                    _text(pack, "commit"),
                    _truth(pack, "enabled"),
                    _truth(pack, "import_failed"),
                ),
            )


def _number(of: Shape, key: str, pack: str, *, least: int) -> int:
    count = of.number(key)
    if count is None or count < least:
        raise DamagedError(f"pack {pack!r} has no number of node types")
    return int(count)


def _most_first(variant: tuple[Pack, list[str]]) -> tuple[int, int, str]:
    pack, hosts = variant
    return -len(hosts), -pack.node_types, str(pack)


def _text(pack: Shape, key: str) -> str | None:
    text = pack.text(key)
    return shown_name(text) if text else None


def _truth(pack: Shape, key: str) -> bool | None:
    return None if pack.raw().get(key) is None else pack.truth(key)
