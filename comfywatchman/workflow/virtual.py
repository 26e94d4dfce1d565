"""Virtual nodes: those the frontend draws but never sends to the server."""

from __future__ import annotations

from functools import cache
from typing import Final

PRIMITIVE: Final = "PrimitiveNode"
"""Holds one value for the inputs it is wired to."""

SETTERS: Final = frozenset({"SetNode", "easy setNode"})
"""Name the value they are wired to."""

GETTERS: Final = frozenset({"GetNode", "easy getNode"})
"""Stand for the value a setter named."""

REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)"})
"""Pass on the value they are wired to."""

_RGTHREE: Final = frozenset(
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
        "Random Unmuter (rgthree)",
        "Reroute (rgthree)",
    }
)
_BUILT_IN: Final = frozenset({PRIMITIVE, "Reroute", "Note", "MarkdownNote"})

_OF_PACKS: Final = {
    "kjnodes": frozenset({"SetNode", "GetNode"}),
    "easy-use": frozenset({"easy setNode", "easy getNode"}),
    "rgthree": _RGTHREE,
    "use-everywhere": frozenset(
        {"Anything Everywhere", "Anything Everywhere?", "Prompts Everywhere"}
    ),
}
"""Node types that only a pack's JavaScript knows, by what the name of the pack's folder holds."""


@cache
def virtual_types(packs: frozenset[str]) -> frozenset[str]:
    """Node types that are virtual where these packs are installed.

    Without its pack such a node is a missing one, which the frontend sends and the server refuses.

    Args:
        packs: folders below ``custom_nodes``.
    """
    folders = [folder.lower().replace("_", "-") for folder in packs]
    of_packs = (
        types for key, types in _OF_PACKS.items() if any(key in folder for folder in folders)
    )
    return _BUILT_IN.union(*of_packs)
