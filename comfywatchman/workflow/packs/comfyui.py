"""ComfyUI's own frontend: nodes that only it knows, and widgets that it adds to nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.workflow.pack import Pack

if TYPE_CHECKING:
    from comfywatchman.workflow.graph import Node


_ADDED: Final[dict[str, dict[str, str]]] = {
    "Load3D": {
        "upload 3d model": "upload3dmodel",
        "upload extra resources": "uploadExtraResources",
        "clear": "clear",
    },
    "Preview3D": {"image": ""},
    "SaveGLB": {"image": ""},
}
"""Widgets of its own on nodes that show something; the server takes no notice of them."""


def values(node: Node, inputs: dict[str, Any]) -> None:
    """Add what nodes are sent beside what they declare.

    For a Custom Combo these are its choices, and the place of the one it holds, which it gives out.
    """
    if node.type in _ADDED:
        inputs.update(_ADDED[node.type])
    elif node.type == "CustomCombo" and isinstance(saved := node.widgets_values, list):
        names = ("index", *(f"option{n}" for n in range(1, len(saved) - 1)))
        inputs.update(zip(names, saved[1:], strict=False))


PACK = Pack(
    name="ComfyUI",
    folders=(),
    seen="frontend 1.58.1",
    evidence="prompts recorded from it: every official template with a CustomCombo",
    virtual=frozenset({"Note", "MarkdownNote"}),
    reroutes=frozenset({"Reroute"}),
    primitives=frozenset({"PrimitiveNode"}),
    values=values,
)
