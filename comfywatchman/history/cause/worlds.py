"""Worlds between two others: the present one, with some of what changed given back."""

from __future__ import annotations

from collections import ChainMap, Counter, OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from comfywatchman.comfyui.catalog import Catalog, NodeType
from comfywatchman.history.cause.factors import LIMITS, RELEASE, Factor, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from comfywatchman.comfyui.inventory import Inventory
    from comfywatchman.history.cause.factors import Differences

_Made = TypeVar("_Made")
_CATALOGS: Final = 24
_INVENTORIES: Final = 8
_LISTING: Final = 48
"""Node types with long lists of files, and what checks make of them: a megabyte each."""


class Between(Catalog):
    """The present catalog with some node types, files and the release given back.

    Node types are made when they are asked for, and shared with every other such catalog in which
    they are the same.

    Attributes:
        asked: the node types that were looked up by name; whoever wants to know empties it.
    """

    def __init__(self, worlds: Worlds, back: frozenset[Factor]) -> None:
        differences = worlds.differences
        now, before = differences.now.catalog, differences.before.catalog
        self._old = frozenset(name for kind, name in back if kind is Kind.NODE_TYPE)
        self._files = frozenset(factor for factor in back if factor.kind is Kind.FILES)
        declarations: Mapping[str, Any] = now.declarations
        if self._old:
            old = {name: before.declarations.get(name) for name in self._old}
            declarations = ChainMap(old, declarations)  # type: ignore[arg-type]
        release = before if RELEASE in back else now
        super().__init__(declarations, release.version, release.replacements)
        self.asked: set[str] = set()
        self._now = now
        self._before = before
        self._worlds = worlds

    def find(self, name: str) -> NodeType | None:
        """As every catalog's, and noted."""
        self.asked.add(name)
        return self.offered(name)

    def __getitem__(self, name: str) -> NodeType:
        found = self.offered(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str):
            self.asked.add(name)
        return super().__contains__(name)

    @cached_property
    def node_types_by_pack(self) -> Mapping[str, int]:
        """As every catalog's, counted for the node types only that are others."""
        counts = Counter(self._now.node_types_by_pack)
        for node_type, by in self._others():
            if node_type.pack is not None:
                counts[node_type.pack] += by
        return +counts

    @cached_property
    def delivered(self) -> Mapping[str, int]:
        """As every catalog's, counted likewise."""
        counts = Counter(self._now.delivered)
        for node_type, by in self._others():
            for kind in node_type.outputs:
                counts[kind] += by
        return +counts

    def spelled_alike(self, name: str) -> str | None:
        """As every catalog's."""
        either = (self._now.spelled_alike(name), self._before.spelled_alike(name))
        return next((n for n in either if n is not None and self.offered(n) is not None), None)

    def _others(self) -> Iterator[tuple[NodeType, int]]:
        """The node types that the present catalog has instead, to be left out, and its own."""
        for name in self._old:
            for node_type, by in ((self._now.find(name), -1), (self.offered(name), 1)):
                if node_type is not None:
                    yield node_type, by

    def offered(self, name: str) -> NodeType | None:
        """The same, not noted."""
        known = self._read.get(name)
        if known is None:
            known = self._worlds.node_type(name, self._files, old=name in self._old)
            if known is not None:
                self._read[name] = known
        return known


class Worlds:
    """Makes worlds between two, each once as long as there is room for it.

    Args:
        differences: what differs between the two.
    """

    def __init__(self, differences: Differences) -> None:
        self.differences = differences
        self._catalogs: OrderedDict[frozenset[Factor], Between] = OrderedDict()
        self._inventories: OrderedDict[frozenset[Factor], Inventory] = OrderedDict()
        self._listing: OrderedDict[tuple[str, bool, frozenset[Factor]], NodeType | None] = (
            OrderedDict()
        )
        self._old: dict[str, NodeType | None] = {}

    def catalog(self, back: frozenset[Factor]) -> Between:
        """The catalog with some of what changed given back."""
        ours = frozenset(f for f in back if f.kind in (Kind.NODE_TYPE, Kind.FILES, Kind.RELEASE))
        return _kept(self._catalogs, ours, lambda key: Between(self, key), _CATALOGS)

    def inventory(self, back: frozenset[Factor]) -> Inventory:
        """The inventory, likewise."""
        ours = frozenset(factor for factor in back if factor.kind is Kind.FILES)
        return _kept(self._inventories, ours, self.differences.inventory, _INVENTORIES)

    def limits(self, back: frozenset[Factor]) -> tuple[int, int]:
        """Depth and size, likewise."""
        world = self.differences.before if LIMITS in back else self.differences.now
        return world.depth, world.size

    def node_type(self, name: str, files: frozenset[Factor], *, old: bool) -> NodeType | None:
        """A node type as it would be with some files given back, and perhaps itself."""
        # Old lists are freed of what is gone, whichever it is.
        ours = files if old or not files else files & self.differences.files_of_type(name)
        if ours:
            return _kept(self._listing, (name, old, ours), self._made, _LISTING)
        if not old:
            return self.differences.now.catalog.find(name)
        if name not in self._old:
            self._old[name] = self._made((name, old, ours))
        return self._old[name]

    def _made(self, wanted: tuple[str, bool, frozenset[Factor]]) -> NodeType | None:
        name, old, back = wanted
        declaration = self.differences.declaration(name, old=old, back=back)
        return None if declaration is None else NodeType(name, declaration)

    def defaults(self, catalog: Between, types: frozenset[str]) -> tuple[Any, ...]:
        """What combos that list changed files offer first: workflows without a value get that.

        Args:
            catalog: one of this object's.
            types: the node types that matter.
        """
        return tuple(
            tuple(repr(spec.choices[:1]) for spec in found.inputs.values() if spec.choices)
            for name in sorted(types & self.differences.listing)
            if (found := catalog.offered(name)) is not None
        )


_Key = TypeVar("_Key", bound="Hashable")


def _kept(
    known: OrderedDict[_Key, _Made], key: _Key, make: Callable[[_Key], _Made], room: int
) -> _Made:
    if key in known:
        known.move_to_end(key)
    else:
        known[key] = make(key)
        if len(known) > room:
            known.popitem(last=False)
    return known[key]
