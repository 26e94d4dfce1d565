"""Catalogs of servers with node packs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import Catalog
from comfywatchman.workflow.convert import convert
from tests.unit.workflow.saved import declaration, node, workflow

if TYPE_CHECKING:
    from comfywatchman.workflow.prompt import Conversion


def with_pack(folder: str, **types: dict[str, Any]) -> Catalog:
    """A catalog with core types, and those of one pack."""
    module = f"custom_nodes.{folder}"
    return Catalog(
        {
            "Source": declaration(output=("IMAGE", "MASK", "INT")),
            "Sink": declaration({"image": ["IMAGE", {}]}, {"mask": ["MASK", {}]}),
            "OfThePack": declaration(module=module),
            **{name: declared | {"python_module": module} for name, declared in types.items()},
        },
        "0.33.0",
    )


def converted(
    catalog: Catalog, nodes: list[dict[str, Any]], links: list[Any] | None = None, **more: Any
) -> Conversion:
    return convert(workflow(nodes, links, **more), catalog)


def sent(
    catalog: Catalog, nodes: list[dict[str, Any]], links: list[Any] | None = None, **more: Any
) -> dict[str, dict[str, Any]]:
    """The inputs of each node that is sent."""
    prompt = converted(catalog, nodes, links, **more).prompt
    return {node_id: entry["inputs"] for node_id, entry in prompt.items()}


def by_name(folder: str, setter: str, getter: str) -> dict[str, dict[str, Any]]:
    """What is sent where one node names a value, and another stands for it."""
    nodes = [
        node(1, "Source"),
        node(2, setter, {"IMAGE": 10}, ["name"]),
        node(3, getter, values=["name"]),
        node(4, "Sink", {"image": 11}),
    ]
    links = [[10, 1, 0, 2, 0, "IMAGE"], [11, 3, 0, 4, 0, "IMAGE"]]
    return sent(with_pack(folder), nodes, links)
