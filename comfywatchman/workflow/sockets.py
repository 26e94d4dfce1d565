"""Sockets: the inputs and outputs a node has once the frontend has opened its workflow.

A saved node may lack inputs its type has now, and lists what it has in another order. The frontend
shows the inputs without a widget first, then those with one, each in the declared order; slot
numbers in a file, and what stands in for a bypassed node, count in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.widgets import drawing_order, layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.workflow.graph import Graph, Node

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


def inputs(node: Node, catalog: Catalog) -> list[Socket]:
    """The inputs of a node in the frontend's order."""
    known = catalog.get(node.type)
    if known is None:
        return [
            Socket(_name(raw), socket_type(raw), "widget" in raw, at)
            for at, raw in enumerate(node.inputs)
        ]
    widgets = layout(known).widgets
    order = {spec.name: at for at, spec in enumerate(drawing_order(known)) if spec is not None}
    found: dict[str, Socket] = {}
    for at, raw in enumerate(node.inputs):
        name = _name(raw)
        found[name] = Socket(name, input_type(node, at, catalog), "widget" in raw, at)
    for name in order:
        if name in found:
            found[name] = found[name]._replace(has_widget=name in widgets)
        elif not any(saved.startswith(f"{name}.") for saved in found):
            spec = known.inputs[name]
            found[name] = Socket(name, _any_if_taken_on(spec.type), name in widgets, None)
    last = len(order)
    return sorted(
        found.values(), key=lambda s: (s.has_widget, order.get(s.name.partition(".")[0], last))
    )


def input_type(node: Node, index: int, catalog: Catalog) -> str:
    """Type of one of a node's saved inputs."""
    raw = node.inputs[index]
    known = catalog.get(node.type)
    spec = None if known is None else known.inputs.get(_name(raw))
    return socket_type(raw) if spec is None else _any_if_taken_on(spec.type)


def output_type(node: Node, slot: int, catalog: Catalog) -> str:
    """Type of one of a node's outputs."""
    known = catalog.get(node.type)
    if known is not None and slot < len(known.outputs):
        return _any_if_taken_on(known.outputs[slot])
    saved = node.outputs
    return socket_type(saved[slot]) if slot < len(saved) else "*"


def socket_type(raw: Mapping[str, Any]) -> str:
    """Type of a saved socket."""
    kind = raw.get("type")
    return kind if isinstance(kind, str) else "COMBO" if isinstance(kind, list) else "*"


def compatible(one: str, other: str) -> bool:
    """Whether the frontend lets sockets of these types be connected."""
    if one == other or one in ("", "*") or other in ("", "*"):
        return True
    return not set(one.lower().split(",")).isdisjoint(other.lower().split(","))


def reconnect(graph: Graph, catalog: Catalog) -> None:
    """Wire the links that no input knows to the input at their target slot, if that is free."""
    for link_id, link in graph.loose_links():
        node = graph.nodes[link.target] if link.target is not None else None
        if node is None:
            continue
        sockets = inputs(node, catalog)
        if not 0 <= link.target_slot < len(sockets):
            continue
        socket = sockets[link.target_slot]
        wired = {"name": socket.name, "type": socket.type, "link": link_id}
        if socket.saved is None:
            node.inputs = [*node.inputs, wired]
        elif graph.link(node.inputs[socket.saved]) is None:
            saved = list(node.inputs)
            saved[socket.saved] = {**saved[socket.saved], **wired}
            node.inputs = saved


def _name(raw: Mapping[str, Any]) -> str:
    name = raw.get("name")
    return name if isinstance(name, str) else ""


def _any_if_taken_on(kind: str) -> str:
    return "*" if kind == _TAKES_ON_A_TYPE else kind
