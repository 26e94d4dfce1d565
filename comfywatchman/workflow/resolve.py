"""Following a link to what really feeds an input.

Between an input and its origin may lie bypassed nodes, reroutes, setters and getters, and the
borders of sub-graphs. Every step leads from one input to the next, so following is a loop. What an
input was found to be fed by is kept, for the many links that lead through the same nodes.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.budget import TOO_MANY_PROMOTED, TOO_TANGLED
from comfywatchman.workflow.graph import BYPASSED, MUTED, SUBGRAPH_INPUT, Definition
from comfywatchman.workflow.sockets import StandIns, input_type

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Graph, Link, Node
    from comfywatchman.workflow.pack import Packs
    from comfywatchman.workflow.scope import Scope
_HOP: Final = 6
"""Steps for going from one input to the next, and remembering it."""
_GIVEN: Final = 4
"""Steps for a value that an instance of a sub-graph gives to an input inside."""


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
        budget: what following them is taken from.
    """

    def __init__(self, packs: Packs, budget: Budget) -> None:
        self._packs = packs
        self._budget = budget
        self._passing = packs.reroutes | packs.setters
        self._fed: dict[_Input, Output | Value | None] = {}
        self._fed_as: dict[tuple[_Input, str], Output | Value | None] = {}
        self._by_type = False
        """Whether the last step depended on the type of the input that following began at."""
        self._given: dict[Scope, frozenset[int]] = {}
        self._stand_ins: dict[Node, StandIns] = {}
        self._chosen: dict[tuple[Node, int, str], int | None] = {}
        self._setters: dict[Graph, dict[str, Node]] = {}

    def wired(self, scope: Scope, node: Node) -> Iterable[tuple[int, Mapping[str, Any]]]:
        """The saved inputs of a node in a sub-graph that something may feed, by their places.

        These are few, where an instance gives values to few of the sub-graph's inputs.

        Raises:
            WorkflowError: they are more than the budget allows.
        """
        if not isinstance(scope.graph, Definition):
            return enumerate(node.inputs)
        inside, outside = scope.graph.wired_inputs[node.id]
        given, inner = self._given_to(scope, scope.graph), scope.inner
        slots: Collection[int] = outside
        if len(given) + len(inner) < len(outside):
            slots = [*given, *(slot for slot in inner if slot not in given)]
        wired = list(inside)
        for slot in slots:
            if slot in given or slot in inner:
                wired += outside.get(slot, ())
        self._budget.spend(len(slots) + _GIVEN * len(wired), TOO_MANY_PROMOTED)
        return [(at, node.inputs[at]) for at in sorted(wired)]

    def _given_to(self, scope: Scope, graph: Definition) -> frozenset[int]:
        """The inputs of a sub-graph that its instance is wired at, or gives a value of its own."""
        given = self._given.get(scope)
        if given is None:
            host, parent = scope.host, scope.parent
            assert host is not None  # noqa: S101  (only the root has none)
            assert parent is not None  # noqa: S101
            wired = (s.get("name") for s in host.inputs if parent.graph.link(s) is not None)
            slots = (graph.input_slots.get(n, ()) for n in wired if isinstance(n, str))
            given = self._given[scope] = frozenset(chain(scope.promoted, *slots))
            self._budget.spend(len(host.inputs) + len(given), TOO_MANY_PROMOTED)
        return given

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
        first = self._follow(scope, link, start)
        return self._reach(first, start) if isinstance(first, _Input) else first

    def _reach(self, first: _Input, start: _Input) -> Output | Value | None:
        """Go on from an input until there is no further, for the input that it began at."""
        found: Output | Value | _Input | None = first
        wanted = input_type(start.node, start.socket)
        passed: dict[_Input, None] = {}
        by_type = 0  # so many of them are fed by something else where another type is wanted
        while isinstance(found, _Input):
            if found in self._fed:
                found = self._fed[found]
            elif (found, wanted) in self._fed_as:
                found, by_type = self._fed_as[found, wanted], len(passed)
            elif found in passed:
                found, by_type = None, by_type and len(passed)  # a circle
            else:
                passed[found] = None
                self._budget.spend(_HOP, TOO_TANGLED)
                scope, node, index = found
                next_link = scope.graph.link(node.inputs[index])
                self._by_type = False
                found = None if next_link is None else self._follow(scope, next_link, start)
                by_type = len(passed) if self._by_type else by_type
        for at, each in enumerate(passed):
            if at < by_type:
                self._fed_as[each, wanted] = found
            else:
                self._fed[each] = found
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
        self._by_type = True
        wanted = input_type(start.node, start.socket)
        key = (node, slot, wanted)
        if key not in self._chosen:
            if node not in self._stand_ins:
                self._stand_ins[node] = StandIns(node, self._budget)
            self._chosen[key] = self._stand_ins[node].find(slot, wanted)
        index = self._chosen[key]
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
    given = scope.promoted if slot in scope.promoted else scope.inner
    return Value(given[slot], typed=False) if slot in given else None


def _first_value(node: Node) -> str:
    values = node.widgets_values
    return values[0] if isinstance(values, list) and values and isinstance(values[0], str) else ""
