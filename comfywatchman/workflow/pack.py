"""What the JavaScript of node packs does to a prompt.

ComfyUI's frontend runs the JavaScript of every pack that is installed, and that may change what is
sent: nodes that exist only in the browser, links that are made when a workflow is queued, widgets
that ``/object_info`` does not declare. Each pack that is known to do so is a file in
:mod:`comfywatchman.workflow.packs`; only those that the server has loaded count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman import discovery
from comfywatchman.workflow import packs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Graph, Node

    Saved = Callable[[Node], Any]
    Values = Callable[[Node, dict[str, Any]], None]
    Wiring = Callable[[Graph, Budget], Iterable[str]]

NAME_OF_ITS_TYPE: Final = "Node name for S&R"
"""Property that the frontend gives to every node of a type that a server offered."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pack:
    """A node pack, and what its JavaScript does.

    Attributes:
        name: what people call it.
        folders: its folder below ``custom_nodes`` holds one of these, in lower case and with ``-``
            for ``_``; empty for ComfyUI's own frontend, which is always there.
        seen: the version that was looked at.
        evidence: where it is to be seen.
        virtual: node types that only its JavaScript knows, that are never sent to the server, and
            that do nothing else to the prompt.
        kept_back: node types that the server offers and that are never sent to it all the same.
        setters: node types only drawn that name the value they are wired to.
        getters: node types only drawn that stand for the value that a setter named.
        reroutes: node types only drawn that pass on the value they are wired to.
        primitives: node types only drawn that hold one value for the inputs they are wired to.
        marks: what the names of its node types hold, where nothing else tells whose they are.
        saved: gives the ``widgets_values`` of a node of this pack as they are restored.
        values: changes what is sent for the inputs of a node of this pack.
        wiring: adds the links that are made when the workflow is queued to a graph, out of a
            budget; gives back a sentence for each thing that could not be told.
    """

    name: str
    folders: tuple[str, ...]
    seen: str
    evidence: str
    virtual: frozenset[str] = frozenset()
    kept_back: frozenset[str] = frozenset()
    setters: frozenset[str] = frozenset()
    getters: frozenset[str] = frozenset()
    reroutes: frozenset[str] = frozenset()
    primitives: frozenset[str] = frozenset()
    marks: tuple[str, ...] = ()
    saved: Saved | None = None
    values: Values | None = None
    wiring: Wiring | None = None

    @property
    def drawn(self) -> frozenset[str]:
        """Every node type that only its JavaScript knows, and that is never sent to the server."""
        return self.virtual | self.setters | self.getters | self.reroutes | self.primitives

    def is_folder(self, folder: str) -> bool:
        """Whether a folder below ``custom_nodes`` is this pack's."""
        return any(key in alike(folder) for key in self.folders)


class _Hooks(NamedTuple):
    """What packs do to the nodes of their types; see :class:`Pack`."""

    saved: Saved | None
    values: tuple[Values, ...]


_NO_HOOKS: Final = _Hooks(None, ())


class Packs:
    """The packs whose JavaScript runs where a catalog comes from.

    Attributes:
        setters, getters, reroutes, primitives: what they all have of each.

    Args:
        folders: the folders below ``custom_nodes`` that node types come from.
    """

    def __init__(self, folders: frozenset[str]) -> None:
        self._folders = frozenset(alike(folder) for folder in folders)
        self._loaded = [p for p in known() if not p.folders or any(p.is_folder(f) for f in folders)]
        self.setters = _all(p.setters for p in self._loaded)
        self.getters = _all(p.getters for p in self._loaded)
        self.reroutes = _all(p.reroutes for p in self._loaded)
        self.primitives = _all(p.primitives for p in self._loaded)
        self.wirings = [p.wiring for p in self._loaded if p.wiring is not None]
        self._unoffered = _all(p.drawn for p in self._loaded)
        # No server's node type takes the place of one of the frontend's own.
        self._never_sent = _all(
            p.kept_back if p.folders else p.kept_back | p.drawn for p in self._loaded
        )
        self._of: dict[str, _Hooks] = {}

    def is_virtual(self, node: Node) -> bool:
        """Whether a node's type is known to be only drawn, and never sent."""
        return node.type in self._never_sent or (
            node.known is None and node.type in self._unoffered
        )

    def seems_virtual(self, graph: Graph, node: Node) -> bool:
        """Whether a node's type looks like one that only the JavaScript of its pack knows.

        Packs register more types of their own than anybody lists. A node of a type that the server
        does not offer is taken for one if it is wired to nothing, its pack is loaded, and it lacks
        the property that every node of a type that a server once offered has.
        """
        return (
            node.known is None
            and bool(node.type)
            and NAME_OF_ITS_TYPE not in node.properties
            and self._is_of_loaded_pack(node)
            and node.id not in graph.wired
        )

    def saved(self, node: Node) -> Any:
        """A node's ``widgets_values`` as the JavaScript of its pack restores them."""
        restore = self._hooks(node).saved
        return node.widgets_values if restore is None else restore(node)

    def values(self, node: Node, inputs: dict[str, Any]) -> None:
        """Change what is sent for a node's inputs as the JavaScript of its pack does."""
        for change in self._hooks(node).values:
            change(node, inputs)

    def _hooks(self, node: Node) -> _Hooks:
        """What the packs that a node's type comes from do to it."""
        if node.known is None:
            return _NO_HOOKS
        module = node.known.python_module
        hooks = self._of.get(module)
        if hooks is None:
            folder = node.known.pack or ""
            is_core = node.known.is_core
            packs = [p for p in self._loaded if (p.is_folder(folder) if p.folders else is_core)]
            hooks = self._of[module] = _Hooks(
                next((p.saved for p in packs if p.saved is not None), None),
                tuple(p.values for p in packs if p.values is not None),
            )
        return hooks

    def _is_of_loaded_pack(self, node: Node) -> bool:
        named = node.properties.get("cnr_id"), node.properties.get("aux_id")
        for name in named:
            if isinstance(name, str) and alike(name.rpartition("/")[2]) in self._folders:
                return True
        return any(mark in node.type for pack in self._loaded for mark in pack.marks)


def _all(types: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*types)


def alike(folder: str) -> str:
    """A pack's name as its registry, its repository and its folder have it in common."""
    return folder.lower().replace("_", "-")


@cache
def known() -> tuple[Pack, ...]:
    """Every pack that has a file."""
    found: list[Pack] = [module.PACK for module in discovery.import_all(packs)]
    return tuple(found)


@cache
def loaded(folders: frozenset[str]) -> Packs:
    """The known packs among those that the server has loaded."""
    return Packs(folders)
