"""A LoRA that a node with rows of them would leave out."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from comfywatchman.checks.engine.case import BlindSpot
from comfywatchman.checks.engine.registry import on_node
from comfywatchman.comfyui.names import looks_like_file
from comfywatchman.findings import Advice, about, declare, quoted
from comfywatchman.results import FixKind, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.checks.engine.case import Answer, NodeCase
    from comfywatchman.comfyui.catalog import NodeType

MISSING_LORA = declare(
    "missing_lora",
    Severity.WARNING,
    title="LoRA that is not there",
    explanation="A row of a Power Lora Loader (rgthree) that is switched on names a LoRA that the "
    "server does not have. The node only notes this in the server's log and goes on without it: "
    "the picture is another one.",
    remedy="Put the file into ComfyUI's models/loras folder, choose another one, or switch the row "
    "off.",
)

_NODE: Final = "Power Lora Loader (rgthree)"
_ROW: Final = "lora_"
_NOTHING_CHOSEN: Final = frozenset({"", "None"})


class _Loras:
    """The LoRAs that a server lists, by each name that the node finds them under."""

    def __init__(self, listed: Iterable[Any]) -> None:
        self.files = [name for name in listed if isinstance(name, str)]
        bare = [posixpath.basename(name) for name in self.files]
        self.names = {
            *self.files, *bare, *(posixpath.splitext(name)[0] for name in (*self.files, *bare))
        }  # fmt: skip

    def finds(self, name: str) -> bool:
        """Whether the node finds it: by its path or name alone, with or without its ending."""
        bare = posixpath.basename(name)
        tried = (name, bare, posixpath.splitext(name)[0], posixpath.splitext(bare)[0])
        return any(one in self.names for one in tried)


_KNOWN: Final[WeakKeyDictionary[NodeType, _Loras]] = WeakKeyDictionary()


@on_node
def check(case: NodeCase) -> Iterator[Answer]:
    """Report the rows that are on and whose LoRA the server does not list."""
    if case.type.name != _NODE:
        return
    rows = [
        (name, row["lora"])
        for name, row in case.inputs.items()
        if name.lower().startswith(_ROW) and isinstance(row, dict) and _is_used(row)
    ]
    loras = _listed(case)
    if rows and loras is None:
        yield BlindSpot(
            "whether the LoRAs that a Power Lora Loader names exist: they are not listed"
        )
        return
    for name, lora in rows:
        if loras is None or lora in _NOTHING_CHOSEN or loras.finds(lora):
            continue
        # Last of all the node takes the first path that holds the text anywhere.
        if not case.whole.may_search() or any(lora in file for file in loras.files):
            continue
        yield case.finding(
            MISSING_LORA,
            f"LoRA {quoted(lora)}, in row {quoted(name)}, is not on the server; the node will leave"
            " it out without an error",
            _fix(lora, loras),
            input_name=name,
            subject=about(SubjectKind.MODEL, lora, "loras"),
        )


def _fix(lora: str, loras: _Loras) -> str | Advice:
    file = lora.replace("\\", "/").rpartition("/")[2]
    there = next((f for f in loras.files if posixpath.basename(f) == file), None)
    if there is not None:
        return f"choose {quoted(there)} in the node"
    named = quoted(file) if looks_like_file(file) else "its file"
    return Advice(
        f"put {named} into ComfyUI's models/loras folder and choose it in the node, or switch the"
        " row off",
        FixKind.PUT_FILE,
    )


def _is_used(row: Mapping[str, Any]) -> bool:
    strengths = row.get("strength"), row.get("strengthTwo")
    return bool(row.get("on")) and isinstance(row.get("lora"), str) and any(strengths)


def _listed(case: NodeCase) -> _Loras | None:
    loader = case.whole.catalog.get("LoraLoader")
    spec = None if loader is None else loader.inputs.get("lora_name")
    if loader is not None and spec is not None and spec.choices is not None:
        if loader not in _KNOWN:
            _KNOWN[loader] = _Loras(spec.choices)
        return _KNOWN[loader]
    listed = case.whole.inventory.models.get("loras")
    return None if listed is None else _Loras(listed)
