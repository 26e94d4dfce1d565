"""Easy-Use: values that are named in one place and used in another, and a bookmark."""

from __future__ import annotations

from comfywatchman.workflow.pack import Pack

PACK = Pack(
    name="Easy-Use",
    folders=("easy-use",),
    seen="1.3.6",
    evidence="its web_version/v1/js/getset.js and bookmark.js register the types as virtual nodes",
    virtual=frozenset({"easy bookmark"}),
    setters=frozenset({"easy setNode"}),
    getters=frozenset({"easy getNode"}),
    marks=("easy ",),
)
