"""A saved graph, its nodes and its links, read from JSON of any quality.

The frontend saves links in two forms: lists ``[id, origin, slot, target, slot, type]`` in the root
graph of schema 0.4, objects in sub-graphs and in schema 1. An input names its link by the link's
id; that, not the link's target, is what connects them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ALWAYS: Final = 0
MUTED: Final = 2
BYPASSED: Final = 4

SUBGRAPH_INPUT: Final = -10
"""Id of the node inside a sub-graph that its inputs come from."""
SUBGRAPH_OUTPUT: Final = -20
"""Id of the node inside a sub-graph that its outputs go to."""

UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Form of the node type of sub-graph instances."""

Id = int | str


class Link(NamedTuple):
    """A connection from an output slot of one node to an input slot of another."""

    origin: Id
    slot: int
    target: Id | None
    target_slot: int


class Node:
    """One saved node.

    Attributes:
        id: as saved, digits as a number; what links name.
        number: the id it has in the prompt.
        type: the node type; the id of a definition for an instance of a sub-graph.
        mode: one of :data:`ALWAYS`, :data:`MUTED`, :data:`BYPASSED` or others that run as usual.
        inputs: the saved inputs: objects with ``name``, ``type``, ``link`` and perhaps ``widget``.
        raw: the saved node itself.
    """

    __slots__ = ("id", "inputs", "mode", "number", "raw", "type")

    def __init__(self, node_id: Id, raw: Mapping[str, Any]) -> None:
        self.id = self.number = node_id
        self.raw = raw
        node_type = raw.get("type")
        self.type = node_type if isinstance(node_type, str) else ""
        self.mode = raw.get("mode", ALWAYS)
        self.inputs = objects(raw.get("inputs"))

    @property
    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """The saved outputs: objects with ``name`` and ``type``."""
        return objects(self.raw.get("outputs"))

    @property
    def properties(self) -> Mapping[str, Any]:
        """The saved ``properties``: the pack it came from, promoted widgets, model addresses."""
        return as_mapping(self.raw.get("properties"))

    @property
    def widgets_values(self) -> Any:
        """The saved widget values, a list or an object; None if there are none."""
        return self.raw.get("widgets_values")

    @property
    def title(self) -> str | None:
        """The title a person gave the node."""
        title = self.raw.get("title")
        return title if isinstance(title, str) and title else None

    def input_index(self, name: object) -> int | None:
        """Position of the saved input of that name."""
        for index, socket in enumerate(self.inputs):
            if socket.get("name") == name:
                return index
        return None


class Graph:
    """One saved graph: the root of a workflow, or the inside of a sub-graph definition.

    Attributes:
        nodes: by id, in the file's order.
        links: by link id.
        malformed: how many entries of ``nodes`` are no nodes.
    """

    __slots__ = ("links", "malformed", "nodes")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.nodes: dict[Id, Node] = {}
        self.links: dict[Id, Link]
        self.malformed = 0
        twice: list[Mapping[str, Any]] = []
        for entry in _entries(raw.get("nodes")):
            node_id = as_id(entry.get("id")) if isinstance(entry, dict) else None
            if node_id is None:
                self.malformed += 1
            elif node_id in self.nodes:
                twice.append(entry)
            else:
                self.nodes[node_id] = Node(node_id, entry)
        if twice:
            highest = max((i for i in self.nodes if isinstance(i, int)), default=0)
            for node_id, entry in enumerate(twice, highest + 1):
                self.nodes[node_id] = Node(node_id, entry)
        self.links = {}
        for entry in _entries(raw.get("links")):
            link_id, link = _link(entry)
            if link_id is not None and link is not None:
                self.links[link_id] = link

    def loose_links(self) -> Iterator[tuple[Id, Link]]:
        """Links to a node of which none of its inputs knows."""
        known = {as_id(socket.get("link")) for n in self.nodes.values() for socket in n.inputs}
        for link_id, link in self.links.items():
            if link_id not in known and link.target in self.nodes:
                yield link_id, link

    def link(self, socket: Mapping[str, Any]) -> Link | None:
        """The link an input names, if it exists."""
        key = as_id(socket.get("link"))
        return None if key is None else self.links.get(key)


class Definition(Graph):
    """A sub-graph definition: a graph with inputs and outputs of its own.

    Attributes:
        id: what instances carry as their node type.
        name: what a person calls it.
        inputs: objects with ``name``, ``type``, ``linkIds``.
        outputs: the same.
        output_links: for each output slot, the link inside that feeds it.
        input_targets: for each input slot, the nodes inside it feeds and the names of their
            inputs, in the order they were connected.
    """

    __slots__ = ("id", "input_targets", "inputs", "name", "output_links", "outputs")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        super().__init__(raw)
        self.id: str = raw["id"]
        name = raw.get("name")
        self.name = name if isinstance(name, str) else ""
        self.inputs = objects(raw.get("inputs"))
        self.outputs = objects(raw.get("outputs"))
        self.output_links: dict[int, Link] = {}
        for link in self.links.values():
            if link.target == SUBGRAPH_OUTPUT:
                self.output_links.setdefault(link.target_slot, link)
        self.input_targets = self._find_input_targets()

    def _find_input_targets(self) -> dict[int, list[tuple[Node, str]]]:
        fed: dict[int, dict[Id, tuple[Node, str]]] = {}
        for node in self.nodes.values():
            for socket in node.inputs:
                key, name = as_id(socket.get("link")), socket.get("name")
                link = None if key is None else self.links.get(key)
                if key is None or link is None or not isinstance(name, str):
                    continue
                if link.origin == SUBGRAPH_INPUT:
                    fed.setdefault(link.slot, {})[key] = (node, name)
        ordered = {}
        for slot, targets in fed.items():
            listed = self.inputs[slot].get("linkIds") if 0 <= slot < len(self.inputs) else None
            first = [
                k for k in map(as_id, listed if isinstance(listed, list) else ()) if k in targets
            ]
            ordered[slot] = [targets[key] for key in dict.fromkeys([*first, *targets])]
        return ordered

    def input_name(self, slot: int) -> str:
        """Name of an input; ``""`` if it has none."""
        name = self.inputs[slot].get("name") if 0 <= slot < len(self.inputs) else None
        return name if isinstance(name, str) else ""

    def input_slot(self, name: str) -> int | None:
        """Position of the input of that name."""
        for slot, socket in enumerate(self.inputs):
            if socket.get("name") == name:
                return slot
        return None

    def slot_leading_to(self, node_id: Id | None, name: str) -> int | None:
        """Position of the input that feeds an input of a node inside."""
        for slot, targets in self.input_targets.items():
            if any(node.id == node_id and at == name for node, at in targets):
                return slot
        return None


def as_id(value: object) -> Id | None:
    """Read a node or link id: 12, ``"12"`` and 12.0 are the same."""
    if type(value) is int:
        return value
    if type(value) is str:
        return int(value) if value.isdecimal() and value.isascii() and len(value) < 20 else value
    if type(value) is float and value.is_integer():
        return int(value)
    return None


def as_mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The list, anything in it that is no object replaced by an empty one, so slots stay put."""
    if not isinstance(value, list):
        return ()
    for entry in value:
        if type(entry) is not dict:
            return [as_mapping(e) for e in value]
    return value


def _entries(value: object) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return ()


def _link(entry: object) -> tuple[Id | None, Link | None]:
    if type(entry) is list and len(entry) >= 5:
        link_id, origin, slot, target, target_slot = entry[:5]
    elif type(entry) is dict:
        link_id, origin, slot = entry.get("id"), entry.get("origin_id"), entry.get("origin_slot")
        target, target_slot = entry.get("target_id"), entry.get("target_slot")
    else:
        return None, None
    node_id = as_id(origin)
    if node_id is None:
        return None, None
    slot = slot if type(slot) is int else 0
    target_slot = target_slot if type(target_slot) is int else -1
    return as_id(link_id), Link(node_id, slot, as_id(target), target_slot)
