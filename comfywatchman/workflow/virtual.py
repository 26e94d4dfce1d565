"""Virtual nodes: those the frontend draws but never sends to the server."""

from __future__ import annotations

from typing import Final

PRIMITIVE: Final = "PrimitiveNode"
"""Holds one value for the inputs it is wired to."""

SETTERS: Final = frozenset({"SetNode", "easy setNode"})
"""Name the value they are wired to."""

GETTERS: Final = frozenset({"GetNode", "easy getNode"})
"""Stand for the value a setter named."""

REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)"})
"""Pass on the value they are wired to."""

_NOTES: Final = frozenset({"Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)"})

_SWITCHBOARDS: Final = frozenset(
    {
        "Fast Actions Button (rgthree)",
        "Fast Bypasser (rgthree)",
        "Fast Groups Bypasser (rgthree)",
        "Fast Groups Muter (rgthree)",
        "Fast Muter (rgthree)",
        "Mute / Bypass Relay (rgthree)",
        "Mute / Bypass Repeater (rgthree)",
        "Node Collector (rgthree)",
        "Random Unmuter (rgthree)",
    }
)
"""Buttons that mute and bypass other nodes."""

VIRTUAL: Final = frozenset(
    {PRIMITIVE, *SETTERS, *GETTERS, *REROUTES, *_NOTES, *_SWITCHBOARDS, "Anything Everywhere"}
)
