"""Small saved workflows, and a catalog for them."""

from __future__ import annotations

from typing import Any

from comfywatchman.comfyui.catalog import Catalog

SUBGRAPH = "11111111-2222-4333-8444-555555555555"
NESTED = "66666666-7777-4888-8999-000000000000"


def declaration(
    required: dict[str, Any] | None = None,
    optional: dict[str, Any] | None = None,
    output: tuple[str, ...] = (),
    module: str = "nodes",
) -> dict[str, Any]:
    inputs = {"required": required or {}, "optional": optional or {}}
    return {
        "input": inputs,
        "input_order": {group: list(names) for group, names in inputs.items()},
        "output": list(output),
        "python_module": module,
    }


INT: list[Any] = ["INT", {"default": 0}]

CATALOG = Catalog(
    {
        "Source": declaration(output=("IMAGE", "MASK", "INT")),
        "Sink": declaration({"image": ["IMAGE", {}]}, {"mask": ["MASK", {}]}),
        "Filter": declaration({"image": ["IMAGE", {}]}, output=("IMAGE",)),
        "Mixer": declaration(
            {"mask": ["MASK", {}], "a": ["IMAGE", {}], "b": ["IMAGE", {}]}, output=("IMAGE",)
        ),
        "Size": declaration({"width": INT, "height": INT}, output=("INT",)),
        "Text": declaration(
            {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP", {}]}
        ),
        "Loader": declaration({"name": [["a.safetensors", "b.safetensors"], {}]}),
        "PackNode": declaration({"x": INT, "y": INT}, module="custom_nodes.ComfyUI-KJNodes"),
    },
    "0.8.0",
)


def node(
    node_id: int | str,
    node_type: str,
    inputs: dict[str, Any] | None = None,
    values: Any = None,
    **more: Any,
) -> dict[str, Any]:
    """A saved node.

    Args:
        node_id: its id.
        node_type: its type.
        inputs: link ids by input name; ``(link, widget)`` pairs where the input has a widget.
        values: its ``widgets_values``.
        more: other keys.
    """
    sockets = []
    for name, link in (inputs or {}).items():
        socket: dict[str, Any] = {"name": name, "type": more.pop("type_of_" + name, "*")}
        if isinstance(link, tuple):
            socket |= {"link": link[0], "widget": {"name": name}}
        else:
            socket["link"] = link
        sockets.append(socket)
    saved = {"id": node_id, "type": node_type, "mode": 0, "inputs": sockets, "outputs": []}
    if values is not None:
        saved["widgets_values"] = values
    return saved | more


def workflow(
    nodes: list[dict[str, Any]], links: list[Any] | None = None, **more: Any
) -> dict[str, Any]:
    last = max((n["id"] for n in nodes if isinstance(n.get("id"), int)), default=0)
    return {
        "last_node_id": last,
        "nodes": nodes,
        "links": links or [],
        "version": 0.4,
        **more,
    }


def subgraph(
    nodes: list[dict[str, Any]],
    links: list[tuple[int, int, int, int, int]],
    inputs: dict[str, list[int]] | None = None,
    outputs: dict[str, list[int]] | None = None,
    subgraph_id: str = SUBGRAPH,
) -> dict[str, Any]:
    """A definition. Links are (id, origin, slot, target, slot); inputs and outputs name links."""
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    return {
        "id": subgraph_id,
        "name": "Sub",
        "nodes": nodes,
        "links": [dict(zip(keys, link, strict=True)) for link in links],
        "inputs": [{"name": n, "linkIds": ids} for n, ids in (inputs or {}).items()],
        "outputs": [{"name": n, "linkIds": ids} for n, ids in (outputs or {}).items()],
    }


def defined(*definitions: dict[str, Any]) -> dict[str, Any]:
    return {"definitions": {"subgraphs": list(definitions)}}
