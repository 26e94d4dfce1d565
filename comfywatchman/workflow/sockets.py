"""Sockets: the inputs and outputs a node has once the frontend has opened its workflow.

A saved node may lack inputs its type has now, and lists what it has in another order. The frontend
shows the inputs without a widget first, then those with one, each in the declared order; slot
numbers in a file, and what stands in for a bypassed node, count in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.budget import TOO_TANGLED
from comfywatchman.workflow.graph import as_id
from comfywatchman.workflow.widgets import AUTOGROW, DYNAMIC_COMBO, layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Graph, Id, Node

_ANY: Final = ("", "*")
_TAKES_ON_A_TYPE: Final = "COMFY_MATCHTYPE_V3"
"""Declared type of sockets that take on the type of what they are wired to."""


class Socket(NamedTuple):
    """One input of a node.

    Attributes:
        name: the input's name.
        type: its type, ``*`` if it takes any.
        has_widget: whether a value can be typed in.
        saved: its position among the saved inputs; None if the file does not have it.
    """

    name: str
    type: str
    has_widget: bool
    saved: int | None


def inputs(node: Node) -> list[Socket]:
    """The inputs of a node in the frontend's order."""
    saved = [
        Socket(_name(raw), input_type(node, at), "widget" in raw, at)
        for at, raw in enumerate(node.inputs)
    ]
    if node.known is None:
        return saved
    widgets = layout(node.known)
    found = {socket.name: socket for socket in saved}
    grown = {
        outer
        for outer in (name.partition(".")[0] for name in found if "." in name)
        if outer in node.known.inputs and node.known.inputs[outer].type == AUTOGROW
    }
    for name in widgets.order:
        has_widget = name in widgets.widgets
        if name in found:
            found[name] = found[name]._replace(has_widget=has_widget)
        elif name not in grown:
            kind = _any_if_taken_on(node.known.inputs[name].type)
            found[name] = Socket(name, kind, has_widget, None)
    last = len(widgets.order)
    return sorted(
        found.values(),
        key=lambda s: (s.has_widget, widgets.order.get(s.name.partition(".")[0], last)),
    )


def input_type(node: Node, index: int) -> str:
    """Type of one of a node's saved inputs."""
    raw = node.inputs[index]
    spec = None if node.known is None else node.known.inputs.get(_name(raw))
    return _type(raw) if spec is None else _any_if_taken_on(spec.type)


def output_type(node: Node, slot: int) -> str:
    """Type of one of a node's outputs."""
    if node.known is not None and 0 <= slot < len(node.known.outputs):
        return _any_if_taken_on(node.known.outputs[slot])
    saved = node.outputs
    return _type(saved[slot]) if 0 <= slot < len(saved) else "*"


class StandIns:
    """Which saved inputs of a bypassed node stand in for its outputs.

    Args:
        node: the bypassed node.
        budget: what looking through its inputs is taken from.
    """

    __slots__ = ("_any", "_budget", "_by_kind", "_by_type", "_kinds", "_node", "_sockets")

    _any: int
    """Where the first input that takes anything is."""

    def __init__(self, node: Node, budget: Budget) -> None:
        self._node = node
        self._budget = budget
        self._sockets = inputs(node)
        self._by_type: dict[str, int] = {}
        self._by_kind: dict[str, list[int]] = {}
        self._kinds: dict[str, frozenset[str]] = {}
        self._any = len(self._sockets)
        for at, socket in enumerate(self._sockets):
            self._by_type.setdefault(socket.type, at)
            if socket.type in _ANY:
                self._any = min(self._any, at)
                continue
            for kind in self._kinds_of(socket.type):
                self._by_kind.setdefault(kind, []).append(at)

    def find(self, slot: int, wanted: str) -> int | None:
        """Find the one for an output.

        Args:
            slot: the output.
            wanted: type of the input that is wired to it.

        Raises:
            WorkflowError: it takes more steps than the budget has.
        """
        sockets = self._sockets
        same = sockets[slot] if 0 <= slot < len(sockets) else None
        if wanted == "*":
            chosen = same or next(iter(sockets), None)
            return None if chosen is None else chosen.saved
        output = output_type(self._node, slot)
        if same is not None and self._fit(same.type, output) and self._fit(same.type, wanted):
            return same.saved
        at = self._by_type.get(wanted)
        if at is None:
            at = self._first(output, wanted)
        return sockets[at].saved if at < len(sockets) else None

    def _first(self, output: str, wanted: str) -> int:
        """Where the first input is that may be wired to both types."""
        asked = [self._kinds_of(each) for each in (output, wanted) if each not in _ANY]
        if not asked:
            return 0
        *others, last = asked
        self._budget.spend(len(last), TOO_TANGLED)
        first = self._any
        for kind in last:
            places = self._by_kind.get(kind, ())
            self._budget.spend(len(places), TOO_TANGLED)
            for at in places:
                if at >= first:
                    break
                own = self._kinds_of(self._sockets[at].type)
                if not any(map(own.isdisjoint, others)):
                    first = at
        return first

    def _fit(self, one: str, other: str) -> bool:
        """Whether the frontend lets sockets of these types be connected."""
        if one == other or one in _ANY or other in _ANY:
            return True
        return not self._kinds_of(one).isdisjoint(self._kinds_of(other))

    def _kinds_of(self, union: str) -> frozenset[str]:
        """The types that a type may be one of."""
        kinds = self._kinds.get(union)
        if kinds is None:
            self._budget.spend(len(union) // 8, TOO_TANGLED)
            kinds = self._kinds[union] = frozenset(union.lower().split(","))
        return kinds


def settle(graph: Graph) -> None:
    """Take away the inputs that nodes no longer have, and wire the links that no input knows.

    Such a link goes to the input at its target slot, if that is free. A link to an input that its
    dynamic combo no longer has is such a link, but only inputs before the combo can take it: the
    combo makes those after it anew. A link to an input whose widget is gone goes with it.
    """
    loose = graph.loose_links()
    for node in graph.nodes.values():
        if node.known is None or all(map(node.known.inputs.__contains__, map(_name, node.inputs))):
            continue
        vanished = _without_vanished(node)
        _wire(graph, node, loose.pop(node.id, []), vanished)
        if node.known.is_core:
            _drop_widgetless(node)
    for node_id, link_ids in loose.items():
        _wire(graph, graph.nodes[node_id], link_ids, {})


def _without_vanished(node: Node) -> dict[Id, str]:
    """Take away the inputs of options that dynamic combos do not hold.

    Returns:
        For each link to one of them, the dynamic combo.
    """
    if node.known is None:
        return {}
    widgets = layout(node.known)
    combos = {s.name for s in node.known.inputs.values() if s.type == DYNAMIC_COMBO}
    if not combos:
        return {}
    chosen = widgets.chosen(node.widgets_values)
    kept = []
    links: dict[Id, str] = {}
    for raw in node.inputs:
        combo, _, inner = _name(raw).partition(".")
        if not inner or combo not in combos or widgets.has_input(_name(raw), chosen):
            kept.append(raw)
        elif (link := as_id(raw.get("link"))) is not None:
            links[link] = combo
    node.keep(kept)
    return links


def _drop_widgetless(node: Node) -> None:
    """Take away inputs whose widget the node type no longer has.

    The frontend passes over the input behind one that it took away, so of several in a row every
    second one stays, and its link is sent.
    """
    known = node.known.inputs if node.known is not None else {}
    kept = []
    drop = False
    for raw in node.inputs:
        is_gone = "widget" in raw and _name(raw).partition(".")[0] not in known
        drop = is_gone and not drop
        if not drop:
            kept.append(raw)
    node.keep(kept)


def _wire(graph: Graph, node: Node, link_ids: list[Id], vanished: Mapping[Id, str]) -> None:
    """Wire links to the inputs at their target slots, if those are free."""
    if link_ids or vanished:
        sockets = inputs(node)
        taken = {at for at, raw in enumerate(node.inputs) if graph.link(raw) is not None}
        free = {
            slot: socket
            for slot, socket in enumerate(sockets)
            if socket.saved is None or socket.saved not in taken
        }
        places = {socket.name: slot for slot, socket in enumerate(sockets)}
        wired = []
        for link_id in (*link_ids, *vanished):
            slot = graph.links[link_id].target_slot if link_id in graph.links else -1
            if link_id in vanished and slot >= places.get(vanished[link_id], 0):
                continue
            socket = free.pop(slot, None)
            if socket is not None:
                wired.append((socket.saved, socket.name, link_id))
        node.wire(wired)


def _type(raw: Mapping[str, Any]) -> str:
    kind = raw.get("type")
    return kind if isinstance(kind, str) else "COMBO" if isinstance(kind, list) else "*"


def _name(raw: Mapping[str, Any]) -> str:
    name = raw.get("name")
    return name if isinstance(name, str) else ""


def _any_if_taken_on(kind: str) -> str:
    return "*" if kind == _TAKES_ON_A_TYPE else kind
