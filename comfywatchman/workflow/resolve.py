"""Following a link to what really feeds an input.

Between an input and its origin may lie bypassed nodes, reroutes, setters and getters, and the
borders of sub-graphs. Every step leads from one input to the next, so following is a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.graph import BYPASSED, MUTED, SUBGRAPH_INPUT, Definition
from comfywatchman.workflow.sockets import compatible, input_type, inputs, output_type
from comfywatchman.workflow.virtual import GETTERS, PRIMITIVE, REROUTES, SETTERS, VIRTUAL

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.workflow.graph import Node
    from comfywatchman.workflow.scope import Scope

MAX_HOPS: Final = 10_000
"""Steps after which a chain of links is taken for a loop."""


class Output(NamedTuple):
    """An output slot of a node that the prompt holds."""

    node_id: str
    slot: int


class Value(NamedTuple):
    """A value that reaches an input through a link.

    Attributes:
        value: the value.
        typed: whether it is as if typed into the input's own widget; else it is handed on as is.
    """

    value: Any
    typed: bool


class _Input(NamedTuple):
    """An input still to be followed."""

    scope: Scope
    node: Node
    socket: int


class Resolver:
    """Follows links through a workflow that has been unfolded into scopes.

    Args:
        catalog: tells the types of a known node's inputs and outputs.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def resolve(self, scope: Scope, node: Node, index: int) -> Output | Value | None:
        """Find what feeds an input.

        Args:
            scope: where the node is.
            node: the node.
            index: which of its saved inputs.

        Returns:
            None if nothing does: it is not wired, or what it is wired to is muted.
        """
        value = _primitive(scope, node, index)
        if value is not None:
            return value
        wanted = input_type(node, index, self._catalog)
        found: Output | Value | _Input | None = _Input(scope, node, index)
        for _ in range(MAX_HOPS):
            if not isinstance(found, _Input):
                return found
            found = self._step(found, wanted)
        return None

    def _step(self, at: _Input, wanted: str) -> Output | Value | _Input | None:
        scope, node, index = at
        link = scope.graph.link(node.inputs[index])
        if link is None:
            return None
        if link.origin == SUBGRAPH_INPUT and scope.host is not None:
            return _outside(scope, link.slot)
        origin = scope.graph.nodes.get(link.origin)
        if origin is None:
            return None
        return self._from_output(scope, origin, link.slot, wanted)

    def _from_output(
        self, scope: Scope, node: Node, slot: int, wanted: str
    ) -> Output | Value | _Input | None:
        while node.mode not in (MUTED, BYPASSED) and node.id in scope.instances:
            instance = scope.instances[node.id]
            graph = instance.graph
            link = graph.output_links.get(slot) if isinstance(graph, Definition) else None
            if link is None:
                return None
            if link.origin == SUBGRAPH_INPUT:
                return _outside(instance, link.slot)
            inner = graph.nodes.get(link.origin)
            if inner is None:
                return None
            scope, node, slot = instance, inner, link.slot
        if node.mode == MUTED:
            return None
        if node.mode == BYPASSED:
            index = self._bypass(node, slot, wanted)
            return None if index is None else _Input(scope, node, index)
        if node.type not in VIRTUAL:
            return Output(scope.node_id(node), slot)
        if node.type in GETTERS:
            return _setter(scope, node)
        if node.type in REROUTES or node.type in SETTERS:
            return _Input(scope, node, 0) if node.inputs else None
        return None

    def _bypass(self, node: Node, slot: int, wanted: str) -> int | None:
        """Which input of a bypassed node stands in for an output of it."""
        sockets = inputs(node, self._catalog)
        same = sockets[slot] if slot < len(sockets) else None
        if wanted == "*":
            chosen = same or next(iter(sockets), None)
        else:
            output = output_type(node, slot, self._catalog)
            fitting = [
                s for s in sockets if compatible(s.type, output) and compatible(s.type, wanted)
            ]
            equal = (s for s in sockets if s.type == wanted)
            chosen = same if same in fitting else next(equal, next(iter(fitting), None))
        return None if chosen is None else chosen.saved


def _primitive(scope: Scope, node: Node, index: int) -> Value | None:
    """The value of a primitive node that an input is wired to, with nothing between them.

    The frontend writes it into the input's widget, even from a primitive node that is muted.
    """
    link = scope.graph.link(node.inputs[index])
    origin = None if link is None else scope.graph.nodes.get(link.origin)
    if origin is None or origin.type != PRIMITIVE:
        return None
    values = origin.widgets_values
    return Value(values[0], typed=True) if isinstance(values, list) and values else None


def _outside(scope: Scope, slot: int) -> Value | _Input | None:
    """What a sub-graph's instance feeds one of its inputs."""
    host, parent = scope.host, scope.parent
    graph = scope.graph
    if host is None or parent is None or not isinstance(graph, Definition):
        return None
    if 0 <= slot < len(graph.inputs):
        index = host.input_index(graph.inputs[slot].get("name"))
        if index is not None and parent.graph.link(host.inputs[index]) is not None:
            return _Input(parent, host, index)
    return Value(scope.promoted[slot], typed=False) if slot in scope.promoted else None


def _setter(scope: Scope, getter: Node) -> _Input | None:
    """The setter of a getter's name, in the getter's own graph or one around it."""
    name = _first_value(getter)
    around: Scope | None = scope
    while around is not None and name is not None:
        for node in around.graph.nodes.values():
            if node.type in SETTERS and node.inputs and _first_value(node) == name:
                return _Input(around, node, 0)
        around = around.parent
    return None


def _first_value(node: Node) -> str | None:
    values = node.widgets_values
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else None
