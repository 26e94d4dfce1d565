"""KJNodes: values that are named in one place and used in another."""

from __future__ import annotations

from comfywatchman.workflow.pack import Pack

PACK = Pack(
    name="KJNodes",
    folders=("kjnodes",),
    seen="1.5.0",
    evidence="its web/js/setgetnodes.js registers the two types as virtual nodes",
    setters=frozenset({"SetNode"}),
    getters=frozenset({"GetNode"}),
)
