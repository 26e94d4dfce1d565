"""MTB: a note."""

from __future__ import annotations

from comfywatchman.workflow.pack import Pack

PACK = Pack(
    name="MTB Nodes",
    folders=("comfy-mtb",),
    seen="0.5.4",
    evidence="its web/note_plus.js registers a virtual node",
    virtual=frozenset({"Note Plus (mtb)"}),
    marks=("(mtb)",),
)
