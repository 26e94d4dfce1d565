"""rgthree: switchboards that exist only in the browser, and rows of LoRAs in one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.workflow.pack import Pack

if TYPE_CHECKING:
    from comfywatchman.workflow.graph import Node

POWER_LORA_LOADER: Final = "Power Lora Loader (rgthree)"

_BOTH_STRENGTHS: Final = "Separate Model & Clip"


def values(node: Node, inputs: dict[str, Any]) -> None:
    """Add a Power Lora Loader's rows, ``lora_1`` and so on, each an object with what it says.

    The second strength, that of CLIP, is sent only where the node shows it.
    """
    saved = node.widgets_values
    if node.type != POWER_LORA_LOADER or not isinstance(saved, list):
        return
    both = node.properties.get("Show Strengths") == _BOTH_STRENGTHS
    rows = [value for value in saved if isinstance(value, dict) and "lora" in value]
    for number, row in enumerate(rows, 1):
        sent = {key: value for key, value in row.items() if key != "strengthTwo"}
        if both:
            second = row.get("strengthTwo")
            sent["strengthTwo"] = 1 if second is None else second
        inputs[f"lora_{number}"] = sent


PACK = Pack(
    name="rgthree's nodes",
    folders=("rgthree",),
    seen="1.0.2608210019",
    evidence="its src_web/comfyui: classes of virtual nodes, and power_lora_loader.ts, which makes"
    " a widget of each saved value with a LoRA; real frontends with it sent the same",
    virtual=frozenset(
        {
            "Bookmark (rgthree)",
            "Fast Actions Button (rgthree)",
            "Fast Bypasser (rgthree)",
            "Fast Groups Bypasser (rgthree)",
            "Fast Groups Muter (rgthree)",
            "Fast Muter (rgthree)",
            "Label (rgthree)",
            "Mute / Bypass Relay (rgthree)",
            "Mute / Bypass Repeater (rgthree)",
            "Node Collector (rgthree)",
            "Node Combiner (rgthree)",
            "Random Unmuter (rgthree)",
        }
    ),
    reroutes=frozenset({"Reroute (rgthree)"}),
    marks=("(rgthree)",),
    values=values,
)
