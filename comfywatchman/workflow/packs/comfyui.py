"""ComfyUI's own frontend: nodes that only it knows, and widgets that it adds to nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.workflow.pack import Pack

if TYPE_CHECKING:
    from comfywatchman.workflow.graph import Node


def values(node: Node, inputs: dict[str, Any]) -> None:
    """Add a Custom Combo's choices and the place of the one it holds, which its output gives."""
    saved = node.widgets_values
    if node.type != "CustomCombo" or not isinstance(saved, list):
        return
    names = ("index", *(f"option{n}" for n in range(1, len(saved) - 1)))
    inputs.update(zip(names, saved[1:], strict=False))


PACK = Pack(
    name="ComfyUI",
    folders=(),
    seen="frontend 1.58.1",
    evidence="prompts recorded from it: every official template with a CustomCombo",
    virtual=frozenset({"PrimitiveNode", "Reroute", "Note", "MarkdownNote"}),
    reroutes=frozenset({"Reroute"}),
    primitives=frozenset({"PrimitiveNode"}),
    values=values,
)
