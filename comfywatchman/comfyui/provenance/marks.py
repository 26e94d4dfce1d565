"""Packs that mark their node types, so that a name tells where it comes from.

Only marks that one pack uses for nearly all its types and hardly any other pack uses at all.
"""

from __future__ import annotations

from typing import Final

from comfywatchman.comfyui.provenance.pack import Pack, pack

_BEGINS: Final = (
    ("VHS_", "Kosinkadink/ComfyUI-VideoHelperSuite"),
    ("ADE_", "Kosinkadink/ComfyUI-AnimateDiff-Evolved"),
    ("ACN_", "Kosinkadink/ComfyUI-Advanced-ControlNet"),
    ("easy ", "yolain/ComfyUI-Easy-Use"),
    ("Impact", "ltdrdata/ComfyUI-Impact-Pack"),
    ("IPAdapter", "cubiq/ComfyUI_IPAdapter_plus"),
    ("ttN ", "TinyTerra/ComfyUI_tinyterraNodes"),
    ("CR ", "Suzie1/ComfyUI_Comfyroll_CustomNodes"),
    ("LayerColor: ", "chflame163/ComfyUI_LayerStyle"),
    ("LayerFilter: ", "chflame163/ComfyUI_LayerStyle"),
    ("LayerMask: ", "chflame163/ComfyUI_LayerStyle"),
    ("LayerStyle: ", "chflame163/ComfyUI_LayerStyle"),
    ("LayerUtility: ", "chflame163/ComfyUI_LayerStyle"),
    ("DF_", "Derfuu/Derfuu_ComfyUI_ModdedNodes"),
)
_ENDS: Final = (
    (" (rgthree)", "rgthree/rgthree-comfy"),
    ("|pysssss", "pythongosssss/ComfyUI-Custom-Scripts"),
    (" (Efficient)", "jags111/efficiency-nodes-comfyui"),
    (" //Inspire", "ltdrdata/ComfyUI-Inspire-Pack"),
    (" (mtb)", "melMass/comfy_mtb"),
    ("[Crystools]", "crystian/ComfyUI-Crystools"),
    ("+", "cubiq/ComfyUI_essentials"),
)


def marked(name: str) -> Pack | None:
    """The pack whose mark a node type's name bears."""
    for begin, owner in _BEGINS:
        if name.startswith(begin) and len(name) > len(begin):
            return pack(owner)
    for end, owner in _ENDS:
        if name.endswith(end) and len(name) > len(end):
            return pack(owner)
    return None
