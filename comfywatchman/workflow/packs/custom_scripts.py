"""Custom-Scripts: a text kept for pasting, and choices that were saved with their picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.comfyui.catalog import COMBO
from comfywatchman.workflow.pack import Pack

if TYPE_CHECKING:
    from comfywatchman.workflow.graph import Node


def values(node: Node, inputs: dict[str, Any]) -> None:
    """Of a choice saved as ``{"content": name, "image": picture}`` send the name."""
    declared = node.known.inputs if node.known is not None else {}
    for name, value in inputs.items():
        content = value.get("content") if isinstance(value, dict) else None
        if isinstance(content, str) and name in declared and declared[name].type == COMBO:
            inputs[name] = content


PACK = Pack(
    name="Custom-Scripts",
    folders=("custom-scripts",),
    seen="1.2.5",
    evidence="its web/js/presetText.js registers a virtual node; web/js/betterCombos.js takes the"
    " name out of a saved object; a real 0.33.0 accepted what real frontends with it sent",
    virtual=frozenset({"PresetText|pysssss"}),
    reroutes=frozenset({"ReroutePrimitive|pysssss"}),
    marks=("|pysssss",),
    values=values,
)
