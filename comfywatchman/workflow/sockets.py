"""Sockets: the inputs and outputs a node has once the frontend has opened its workflow.

A saved node may lack inputs its type has now, and lists what it has in another order. The frontend
shows the inputs without a widget first, then those with one, each in the declared order; slot
numbers in a file, and what stands in for a bypassed node, count in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.graph import as_id
from comfywatchman.workflow.widgets import AUTOGROW, DYNAMIC_COMBO, layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.workflow.graph import Graph, Id, Node

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


def compatible(one: str, other: str) -> bool:
    """Whether the frontend lets sockets of these types be connected."""
    if one == other or one in ("", "*") or other in ("", "*"):
        return True
    return not set(one.lower().split(",")).isdisjoint(other.lower().split(","))


def stand_in(node: Node, slot: int, wanted: str) -> int | None:
    """Which saved input of a bypassed node stands in for one of its outputs.

    Args:
        node: the bypassed node.
        slot: the output.
        wanted: type of the input that is wired to it.
    """
    sockets = inputs(node)
    same = sockets[slot] if 0 <= slot < len(sockets) else None
    if wanted == "*":
        chosen = same or next(iter(sockets), None)
    else:
        output = output_type(node, slot)
        fitting = [s for s in sockets if compatible(s.type, output) and compatible(s.type, wanted)]
        equal = (s for s in sockets if s.type == wanted)
        chosen = same if same in fitting else next(equal, next(iter(fitting), None))
    return None if chosen is None else chosen.saved


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
