"""Following a link to what really feeds an input.

Between an input and its origin may lie bypassed nodes, reroutes, setters and getters, and the
borders of sub-graphs. Every step leads from one input to the next, so following is a loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.workflow.graph import BYPASSED, MUTED, SUBGRAPH_INPUT, Definition
from comfywatchman.workflow.prompt import WorkflowError
from comfywatchman.workflow.sockets import input_type, stand_in

if TYPE_CHECKING:
    from comfywatchman.workflow.graph import Graph, Link, Node
    from comfywatchman.workflow.pack import Packs
    from comfywatchman.workflow.scope import Scope

MAX_ALL_HOPS: Final = 1_000_000
"""Steps that are spent on one workflow."""

TOO_TANGLED: Final = declare(
    "workflow_too_tangled",
    Severity.ERROR,
    title="Workflow whose links cannot be followed",
    explanation=f"Following the links through bypassed nodes and reroutes took more than"
    f" {MAX_ALL_HOPS:,} steps; no real workflow needs a hundredth of it. It was not judged.",
    remedy="Remove the file: it is damaged or made to do harm.",
)


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
        packs: the packs whose JavaScript runs.
    """

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._passing = packs.reroutes | packs.setters
        self._hops = 0
        self._stand_ins: dict[tuple[Node, int, str], int | None] = {}
        self._setters: dict[Graph, dict[str, Node]] = {}

    def resolve(self, scope: Scope, node: Node, index: int) -> Output | Value | None:
        """Find what feeds an input.

        Args:
            scope: where the node is.
            node: the node.
            index: which of its saved inputs.

        Returns:
            None if nothing does: it is not wired, or what it is wired to is muted.

        Raises:
            WorkflowError: the workflow's links take too many steps to follow.
        """
        link = scope.graph.link(node.inputs[index])
        if link is None:
            return None
        sent = scope.sent.get(link.origin)
        if sent is not None:
            return Output(sent, link.slot)
        origin = scope.graph.nodes.get(link.origin)
        if origin is not None and origin.type in self._packs.primitives:
            return _primitive_value(origin)
        start = _Input(scope, node, index)
        found = self._follow(scope, link, start)
        passed: set[_Input] = set()
        while isinstance(found, _Input):
            if found in passed:
                return None  # a circle
            passed.add(found)
            self._hops += 1
            if self._hops > MAX_ALL_HOPS:
                raise too_tangled()
            scope, node, index = found
            next_link = scope.graph.link(node.inputs[index])
            found = None if next_link is None else self._follow(scope, next_link, start)
        return found

    def _follow(self, scope: Scope, link: Link, start: _Input) -> Output | Value | _Input | None:
        """Take one step along a link, for the input that following it began at."""
        if link.origin == SUBGRAPH_INPUT and scope.host is not None:
            return _outside(scope, link.slot)
        node, slot = scope.graph.nodes.get(link.origin), link.slot
        while node is not None and (instance := scope.instances.get(node.id)) is not None:
            if node.mode in (MUTED, BYPASSED):
                break
            graph = instance.graph
            inner = graph.output_links.get(slot) if isinstance(graph, Definition) else None
            if inner is None:
                return None
            if inner.origin == SUBGRAPH_INPUT:
                return _outside(instance, inner.slot)
            scope, node, slot = instance, graph.nodes.get(inner.origin), inner.slot
        if node is None or node.mode == MUTED:
            return None
        if node.mode == BYPASSED:
            return self._past_bypassed(scope, node, slot, start)
        if self._is_sent(scope, node):
            return Output(scope.node_id(node), slot)
        if node.type in self._packs.getters:
            return self._setter(scope, node)
        if node.inputs and node.type in self._passing:
            return _Input(scope, node, 0)
        return None

    def _is_sent(self, scope: Scope, node: Node) -> bool:
        """Whether a node is in the prompt itself, with nothing in its stead."""
        return (
            node.mode not in (MUTED, BYPASSED)
            and not self._packs.is_virtual(node)
            and node.id not in scope.instances
        )

    def _past_bypassed(self, scope: Scope, node: Node, slot: int, start: _Input) -> _Input | None:
        wanted = input_type(start.node, start.socket)
        key = (node, slot, wanted)
        if key not in self._stand_ins:
            self._stand_ins[key] = stand_in(node, slot, wanted)
        index = self._stand_ins[key]
        return None if index is None else _Input(scope, node, index)

    def _setter(self, scope: Scope, getter: Node) -> _Input | None:
        """The setter of a getter's name, in the getter's own graph or one around it."""
        name = _first_value(getter)
        for around in scope.around():
            setters = self._setters.get(around.graph)
            if setters is None:
                setters = self._setters[around.graph] = {
                    of: node
                    for node in around.graph.nodes.values()
                    if node.type in self._packs.setters
                    and node.inputs
                    and (of := _first_value(node))
                }
            if name in setters:
                return _Input(around, setters[name], 0)
        return None


def _primitive_value(primitive: Node) -> Value | None:
    """The value of a primitive node that an input is wired to, with nothing between them.

    The frontend writes it into the input's widget, even from a primitive node that is muted.
    """
    values = primitive.widgets_values
    return Value(values[0], typed=True) if isinstance(values, list) and values else None


def _outside(scope: Scope, slot: int) -> Value | _Input | None:
    """What a sub-graph's instance feeds one of its inputs."""
    host, parent, graph = scope.host, scope.parent, scope.graph
    if host is None or parent is None or not isinstance(graph, Definition):
        return None
    if 0 <= slot < len(graph.input_names):
        index = host.input_index(graph.input_names[slot])
        if index is not None and parent.graph.link(host.inputs[index]) is not None:
            return _Input(parent, host, index)
    return Value(scope.promoted[slot], typed=False) if slot in scope.promoted else None


def _first_value(node: Node) -> str:
    values = node.widgets_values
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""


def too_tangled() -> WorkflowError:
    """What is raised of a workflow whose links take too many steps."""
    return WorkflowError(
        TOO_TANGLED.finding(
            f"following the links took more than {MAX_ALL_HOPS:,} steps", fix=TOO_TANGLED.remedy
        )
    )
