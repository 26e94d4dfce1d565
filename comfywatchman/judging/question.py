"""A prompt that no server accepts, and that makes it say all the same what it thinks of the rest.

A copy of the prompt in which every output node holds inputs that no server accepts: an empty list
where a link has two entries. With no good output the server refuses the prompt and queues nothing,
yet it reports what it finds wrong with everything that leads to the outputs, the own checks of
custom nodes included. The form is the one that was recorded against a real server, see
``tests/oracle/data/README.md``. No I/O here; :mod:`comfywatchman.cycle.asking` says when it is
asked.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.comfyui.catalog import COMBO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.catalog import Catalog, NodeType
    from comfywatchman.workflow.prompt import Prompt

_POISONS: Final = 2
"""Inputs that are poisoned where a node has that many: a pack's handler may repair one of them."""
_WIDGETS: Final = frozenset({"STRING", "INT", "FLOAT", "BOOLEAN", COMBO})
_DYNAMIC: Final = "COMFY_"
"""Types that begin so may leave a value unchecked, so none of them is poisoned."""
_ADAPTER: Final = "ComfyNotNode"
"""Takes a link of any type, and delivers one that the sink takes."""
_SINK: Final = "SaveAnimatedWEBP"
_PICTURE: Final = "EmptyImage"
_FIRST_ID: Final = 9100


@dataclass(frozen=True, slots=True)
class Question:
    """A poisoned prompt, and what can be learned from its refusal.

    Attributes:
        prompt: what is posted.
        digest: of the prompt, SHA-256 in hexadecimal.
        poisons: by output node of the prompt, its poisoned inputs.
        needs: by node, the inputs at which the server goes on to another node, and which.
    """

    prompt: Prompt
    digest: str
    poisons: Mapping[str, frozenset[str]]
    needs: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        poisons: Mapping[str, frozenset[str]],
        needs: Mapping[str, Mapping[str, str]],
    ) -> Question:
        """Make the question that a prompt puts."""
        content = json.dumps(prompt, sort_keys=True).encode()
        return cls(prompt, hashlib.sha256(content).hexdigest(), poisons, needs)


def question(
    prompt: Prompt, needs: Mapping[str, Mapping[str, str]], catalog: Catalog
) -> Question | None:
    """Poison a copy of a prompt.

    Args:
        prompt: the prompt; nothing about its shape is taken for granted.
        needs: by node that the server validates, the inputs whose link it follows, and whereto.
        catalog: the node types of the server.

    Returns:
        None where it is not certain that the server refuses the copy: a node of a type that is not
        listed might be an output of which nobody knows, and so might one that the server replaces.
    """
    if not all(_is_known(node, catalog) for node in prompt.values()):
        return None
    copy = _Copy(prompt, needs, catalog)
    wanted = _linked_to(prompt)
    for node_id, node in prompt.items():
        node_type = catalog[node["class_type"]]
        if not node_type.is_output:
            copy.nodes[node_id] = node
        elif widgets := _widgets(node_type, node["inputs"]):
            copy.poison(node_id, widgets)
        else:
            copy.divert(node_id)
            sockets = _sockets(node_type)
            if node_id in wanted and sockets:
                copy.poison(node_id, sockets)
            elif node_id in wanted:
                return None
    if not copy.poisons:
        return None
    return Question.of(copy.nodes, copy.poisons, copy.ways)


class _Copy:
    """A copy of a prompt while it is being poisoned.

    Attributes:
        nodes: its nodes so far.
        poisons: as in :class:`Question`.
        ways: likewise its ``needs``.
    """

    def __init__(
        self, prompt: Prompt, needs: Mapping[str, Mapping[str, str]], catalog: Catalog
    ) -> None:
        self._prompt = prompt
        self._can_divert = _has(catalog, _SINK) and _has(catalog, _ADAPTER)
        self._fresh = (new for number in count(_FIRST_ID) if (new := str(number)) not in prompt)
        self.nodes: Prompt = {}
        self.poisons: dict[str, frozenset[str]] = {}
        self.ways = dict(needs)

    def poison(self, node_id: str, names: list[str]) -> None:
        """Put the poison into inputs of an output node."""
        node = self._prompt[node_id]
        self.nodes[node_id] = {**node, "inputs": {**node["inputs"], **{name: [] for name in names}}}
        self.poisons[node_id] = frozenset(names)

    def divert(self, node_id: str) -> None:
        """Lead the links of an output node into sinks: for each an adapter and a poisoned sink."""
        inputs = self._prompt[node_id]["inputs"]
        links = self.ways.pop(node_id, {})
        if not self._can_divert:
            return
        followed = [tuple(link) for name, link in inputs.items() if name in links]
        for origin, slot in dict.fromkeys(followed):
            adapter, sink = next(self._fresh), next(self._fresh)
            self.nodes[adapter] = {"class_type": _ADAPTER, "inputs": {"value": [origin, slot]}}
            self.nodes[sink] = _sink({"images": [], "lossless": [adapter, 0], "fps": 6.0})
            self.poisons[sink] = frozenset({"images", "filename_prefix"})
            self.ways[adapter] = {"value": origin}
            self.ways[sink] = {"lossless": adapter}


def calibration(catalog: Catalog) -> Question | None:
    """A question whose answer is known, to see that this server refuses as others do.

    Its output is bad in three ways: two poisons, and a width of nothing above it.

    Returns:
        None if the server lacks the node types for it.
    """
    if not (_has(catalog, _SINK) and _has(catalog, _PICTURE)):
        return None
    empty = {"width": 0, "height": 64, "batch_size": 1, "color": 0}
    sink = _sink({"images": ["1", 0], "lossless": True, "fps": []})
    prompt: Prompt = {"1": {"class_type": _PICTURE, "inputs": empty}, "2": sink}
    poisons = frozenset({"filename_prefix", "fps"})
    return Question.of(prompt, {"2": poisons}, {"1": {}, "2": {"images": "1"}})


CALIBRATED: Final = {
    "1": [("value_smaller_than_min", "width")],
    "2": [("bad_linked_input", "filename_prefix"), ("bad_linked_input", "fps")],
}
"""What the server finds wrong with the calibration: by node, types of errors and inputs, sorted."""


def _is_known(node: Any, catalog: Catalog) -> bool:
    class_type = node.get("class_type") if isinstance(node, dict) else None
    return (
        isinstance(class_type, str)
        and class_type in catalog
        and class_type not in catalog.replacements
        and isinstance(node.get("inputs"), dict)
    )


def _widgets(node_type: NodeType, inputs: Mapping[str, Any]) -> list[str]:
    """Inputs that can be poisoned without cutting a link off, texts first."""
    free = [
        spec
        for spec in node_type.inputs.values()
        if spec.type in _WIDGETS and not isinstance(inputs.get(spec.name), list)
    ]
    free.sort(key=lambda spec: spec.type != "STRING")
    return [spec.name for spec in free[:_POISONS]]


def _sockets(node_type: NodeType) -> list[str]:
    """Inputs of an output node that has no widgets; what leads to them is asked about by sinks."""
    return [s.name for s in node_type.inputs.values() if not s.type.startswith(_DYNAMIC)]


def _sink(inputs: Mapping[str, Any]) -> dict[str, Any]:
    constant = {"filename_prefix": [], "quality": 80, "method": "default"}
    return {"class_type": _SINK, "inputs": {**constant, **inputs}}


def _has(catalog: Catalog, class_type: str) -> bool:
    return class_type in catalog and catalog[class_type].is_core


def _linked_to(prompt: Prompt) -> frozenset[str]:
    """Nodes that some link of the prompt leads to."""
    return frozenset(
        value[0]
        for node in prompt.values()
        for value in node["inputs"].values()
        if isinstance(value, list) and value and isinstance(value[0], str)
    )
