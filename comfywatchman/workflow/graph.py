"""A saved graph, its nodes and its links, read from JSON of any quality.

The frontend saves links in two forms: lists ``[id, origin, slot, target, slot, type]`` in the root
graph of schema 0.4, objects in sub-graphs and in schema 1. An input names its link by the link's
id; that, not the link's target, is what connects them.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from comfywatchman.comfyui.catalog import Catalog

ALWAYS: Final = 0
MUTED: Final = 2
BYPASSED: Final = 4

SUBGRAPH_INPUT: Final = -10
"""Id of the node inside a sub-graph that its inputs come from."""
SUBGRAPH_OUTPUT: Final = -20
"""Id of the node inside a sub-graph that its outputs go to."""

UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""Form of the node type of sub-graph instances."""
UUID_LENGTH: Final = 36

Id = int | str


class Link(NamedTuple):
    """A connection from an output slot of one node to an input slot of another."""

    origin: Id
    slot: int
    target: Id | None
    target_slot: int
    type: str = "*"


class Node:
    """One saved node.

    Attributes:
        id: as saved, digits as a number; what links name.
        number: the id it has in the prompt.
        type: the node type; the id of a definition for an instance of a sub-graph.
        known: what the server says of the type; None if it does not know it.
        mode: one of :data:`ALWAYS`, :data:`MUTED`, :data:`BYPASSED` or others that run as usual.
        inputs: the saved inputs: objects with ``name``, ``type``, ``link`` and perhaps ``widget``.
        raw: the saved node itself.
    """

    __slots__ = (
        "_outputs", "_positions", "id", "inputs", "known", "mode", "number", "raw", "type",
    )  # fmt: skip

    def __init__(self, node_id: Id, raw: Mapping[str, Any], catalog: Catalog) -> None:
        self.id = self.number = node_id
        self.raw = raw
        node_type = raw.get("type")
        self.type = node_type if isinstance(node_type, str) else ""
        self.known = catalog.find(self.type)
        self.mode = raw.get("mode", ALWAYS)
        self.inputs = objects(raw.get("inputs"))
        self._outputs: Sequence[Mapping[str, Any]] | None = None
        self._positions: dict[str, int] | None = None

    @property
    def outputs(self) -> Sequence[Mapping[str, Any]]:
        """The saved outputs: objects with ``name`` and ``type``."""
        if self._outputs is None:
            self._outputs = objects(self.raw.get("outputs"))
        return self._outputs

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

    def input_index(self, name: str) -> int | None:
        """Position of the saved input of that name."""
        if self._positions is None:
            self._positions = _positions(self.inputs)
        return self._positions.get(name)

    def wire(self, wired: Iterable[tuple[int | None, str, Id]]) -> None:
        """Give inputs new links.

        Args:
            wired: for each the position among the saved inputs, None for one that is not saved;
                its name; and the link's id.
        """
        inputs = list(self.inputs)
        for index, name, link_id in wired:
            if index is None:
                inputs.append({"name": name, "link": link_id})
            else:
                inputs[index] = {**inputs[index], "link": link_id}
        self.inputs = inputs
        self._positions = None

    def keep(self, inputs: Sequence[Mapping[str, Any]]) -> None:
        """Take away all inputs but these."""
        if len(inputs) < len(self.inputs):
            self.inputs = inputs
            self._positions = None


class Graph:
    """One saved graph: the root of a workflow, or the inside of a sub-graph definition.

    Attributes:
        nodes: by id, in the file's order.
        links: by link id.
        malformed: how many entries of ``nodes`` are no nodes.
        last: the highest node id given out: what the file says of it counts only if no node has a
            higher one, for programs that write workflows often leave it as it was.
        raw: the saved graph itself.

    Args:
        raw: the saved graph.
        catalog: the server's node types.
    """

    def __init__(self, raw: Mapping[str, Any], catalog: Catalog) -> None:
        self.raw = raw
        self.nodes: dict[Id, Node] = {}
        self.malformed = 0
        twice: list[Mapping[str, Any]] = []
        for entry in _entries(raw.get("nodes")):
            node_id = entry.get("id") if isinstance(entry, dict) else None
            if type(node_id) is not int:
                node_id = as_id(node_id)
            if node_id is None:
                self.malformed += 1
            elif node_id in self.nodes:
                twice.append(entry)
            else:
                self.nodes[node_id] = Node(node_id, entry, catalog)
        last = raw.get("last_node_id", as_mapping(raw.get("state")).get("lastNodeId"))
        ids = (node_id for node_id in self.nodes if isinstance(node_id, int))
        self.last = max(last if type(last) is int else 0, *ids, 0)
        for entry in twice:
            self.last += 1
            self.nodes[self.last] = Node(self.last, entry, catalog)
        self.links = _links(_entries(raw.get("links")))

    def link(self, socket: Mapping[str, Any]) -> Link | None:
        """The link an input names, if it exists."""
        key = socket.get("link")
        if key is None:
            return None
        if type(key) is not int:
            key = as_id(key)
        return None if key is None else self.links.get(key)

    @cached_property
    def wired(self) -> frozenset[Id]:
        """The nodes that a link leads from or to."""
        ends = {link.origin for link in self.links.values()}
        ends.update(node.id for node in self.nodes.values() if any(map(self.link, node.inputs)))
        return frozenset(ends)

    def loose_links(self) -> dict[Id, list[Id]]:
        """By node, the links to it of which none of its inputs knows."""
        named = [socket.get("link") for node in self.nodes.values() for socket in node.inputs]
        known = {link if type(link) is int else as_id(link) for link in named if link is not None}
        loose: dict[Id, list[Id]] = {}
        for link_id, link in self.links.items():
            if link_id not in known and link.target is not None and link.target in self.nodes:
                loose.setdefault(link.target, []).append(link_id)
        return loose


class Wired(NamedTuple):
    """The inputs of a node in a sub-graph that have a link.

    Attributes:
        inside: the positions of those that are wired to another node in it.
        outside: by input slot of the sub-graph, the positions of those that it feeds.
    """

    inside: list[int]
    outside: dict[int, list[int]]


class Definition(Graph):
    """A sub-graph definition: a graph with inputs and outputs of its own.

    Attributes:
        id: what instances carry as their node type.
        name: what a person calls it.
        input_names: the names of its inputs.
        output_links: for each output slot, the link inside that feeds it.
        uses: how many instances of it have been unfolded.

    Args:
        raw: the saved definition; its ``id`` must be a string.
        catalog: the server's node types.
    """

    def __init__(self, raw: Mapping[str, Any], catalog: Catalog) -> None:
        super().__init__(raw, catalog)
        self.id: str = raw["id"]
        self.uses = 0
        name = raw.get("name")
        self.name = name if isinstance(name, str) else ""
        self._inputs = objects(raw.get("inputs"))
        self._positions = _positions(self._inputs)
        self.input_names = [
            name if isinstance(name := socket.get("name"), str) else "" for socket in self._inputs
        ]
        self.output_links: dict[int, Link] = {}
        for link in self.links.values():
            if link.target == SUBGRAPH_OUTPUT:
                self.output_links.setdefault(link.target_slot, link)

    @cached_property
    def input_targets(self) -> Mapping[int, Sequence[tuple[Node, str]]]:
        """By input slot, the nodes inside it feeds and the names of their inputs.

        In the order in which they were connected.
        """
        fed: dict[int, dict[Id, tuple[Node, str]]] = {}
        for node in self.nodes.values():
            for socket in node.inputs:
                link = self.link(socket)
                if link is None or link.origin != SUBGRAPH_INPUT:
                    continue
                key, name = as_id(socket.get("link")), socket.get("name")
                if key is not None and isinstance(name, str):
                    fed.setdefault(link.slot, {})[key] = (node, name)
        for slot, targets in fed.items():
            listed = self._inputs[slot].get("linkIds") if 0 <= slot < len(self._inputs) else None
            if len(targets) > 1 and isinstance(listed, list):
                first = [key for key in map(as_id, listed) if key is not None and key in targets]
                fed[slot] = {key: targets[key] for key in (*first, *targets)}
        return {slot: list(targets.values()) for slot, targets in fed.items()}

    @cached_property
    def wired_inputs(self) -> Mapping[Id, Wired]:
        """By node, its inputs that have a link. To be asked for once they have settled."""
        wired: dict[Id, Wired] = {}
        for node_id, node in self.nodes.items():
            inside, outside = wired[node_id] = Wired([], {})
            for at, socket in enumerate(node.inputs):
                link = self.link(socket)
                if link is None:
                    continue
                if link.origin == SUBGRAPH_INPUT and SUBGRAPH_INPUT not in self.nodes:
                    outside.setdefault(link.slot, []).append(at)
                else:
                    inside.append(at)
        return wired

    @cached_property
    def input_slots(self) -> Mapping[str, Sequence[int]]:
        """By name, the positions of its inputs."""
        slots: dict[str, list[int]] = {}
        for slot, name in enumerate(self.input_names):
            slots.setdefault(name, []).append(slot)
        return slots

    @cached_property
    def _leading(self) -> Mapping[tuple[Id, str], int]:
        return {
            (node.id, name): slot
            for slot, targets in reversed(list(self.input_targets.items()))
            for node, name in targets
        }

    def input_type(self, slot: int) -> str:
        """Type of one of its inputs, ``*`` if it takes any."""
        kind = self._inputs[slot].get("type") if 0 <= slot < len(self._inputs) else None
        return kind if isinstance(kind, str) else "*"

    def input_slot(self, name: str) -> int | None:
        """Position of the input of that name."""
        return self._positions.get(name)

    def slot_leading_to(self, node_id: Id, name: str) -> int | None:
        """Position of the input that feeds an input of a node inside."""
        return self._leading.get((node_id, name))


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


_DICT: Final = frozenset({dict})


def objects(value: object) -> Sequence[Mapping[str, Any]]:
    """The list, anything in it that is no object replaced by an empty one, so slots stay put."""
    if not isinstance(value, list):
        return ()
    return value if _DICT.issuperset(map(type, value)) else [as_mapping(e) for e in value]


def _positions(sockets: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """By name, the first position."""
    found: dict[str, int] = {}
    for at, socket in enumerate(sockets):
        name = socket.get("name")
        if isinstance(name, str):
            found.setdefault(name, at)
    return found


def _entries(value: object) -> Iterable[Any]:
    if isinstance(value, list):
        return value
    return value.values() if isinstance(value, dict) else ()


def _links(entries: Iterable[Any]) -> dict[Id, Link]:
    links: dict[Id, Link] = {}
    for entry in entries:
        if type(entry) is list and len(entry) >= 5:
            key, origin, slot, target, target_slot = entry[:5]
            kind = entry[5] if len(entry) > 5 else None
        elif type(entry) is dict:
            key, origin, slot = entry.get("id"), entry.get("origin_id"), entry.get("origin_slot")
            target, target_slot = entry.get("target_id"), entry.get("target_slot")
            kind = entry.get("type")
        else:
            continue
        # Nearly all of them are plain numbers, and there are more links than anything else.
        key = key if type(key) is int else as_id(key)
        origin = origin if type(origin) is int else as_id(origin)
        if key is not None and origin is not None:
            links[key] = Link(
                origin,
                slot if type(slot) is int else 0,
                target if type(target) is int else as_id(target),
                target_slot if type(target_slot) is int else -1,
                kind if type(kind) is str else "*",
            )
    return links
