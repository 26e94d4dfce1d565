"""A node type that is called otherwise now: by another spelling, or because it was renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.checks.missing_node_type import MISSING_NODE_TYPE
from comfywatchman.findings import NAME_LENGTH, quoted
from comfywatchman.fixes import document
from comfywatchman.fixes.candidate import Candidate
from comfywatchman.results import Confidence, FixKind
from comfywatchman.workflow.graph import as_mapping, objects
from comfywatchman.workflow.widgets import layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from comfywatchman.comfyui.catalog import NodeType
    from comfywatchman.fixes.fault import Fault

ORDER: Final = 110


def candidates(fault: Fault) -> Iterator[Candidate]:
    """Give the node the other type, if all that is wired to it and set in it fits that one."""
    name = fault.node_type
    if fault.finding.code != MISSING_NODE_TYPE.name or not name:
        return
    catalog = fault.here.world.catalog
    found: dict[str, tuple[bool, Mapping[str, str]]] = {}
    spelled = catalog.spelled_alike(name)
    if spelled is not None:
        found[spelled] = False, {}
    rules = catalog.replacements.get(name)
    rule = as_mapping(rules[0]) if isinstance(rules, list) and rules else {}
    renamed = _renamed(rule)
    if isinstance(new := rule.get("new_node_id"), str) and renamed is not None:
        found.setdefault(new, (False, renamed))
    # Where the server itself would do more than that, it is for ComfyUI to be done.
    for fix in fault.finding.fixes if renamed is not None else ():
        if fix.kind is FixKind.REPLACE_NODE and isinstance(fix.after, str):
            found.setdefault(fix.after, (fix.confidence is Confidence.ASK, {}))
    for other, (ask, inputs) in found.items():
        known = catalog.find(other)
        if known is not None and _fits(fault, known, inputs):
            text = (
                f"Give node {quoted(fault.node_id)} the type {quoted(other, NAME_LENGTH)} instead "
                f"of {quoted(name, NAME_LENGTH)}, which the server does not offer."
            )
            confidence = Confidence.ASK if ask else Confidence.LIKELY
            yield Candidate(FixKind.REPLACE_NODE, text, confidence, node_type=other, renamed=inputs)


def _renamed(rule: Mapping[str, Any]) -> Mapping[str, str] | None:
    """The new names of inputs, where a rule of replacement does no more than to rename."""
    names: dict[str, str] = {}
    for entry in objects(rule.get("input_mapping")):
        old, new = entry.get("old_id"), entry.get("new_id")
        if not isinstance(old, str) or not isinstance(new, str) or "set_value" in entry:
            return None
        names[old] = new
    moved = any(e.get("old_idx") != e.get("new_idx") for e in objects(rule.get("output_mapping")))
    return None if moved else names


def _fits(fault: Fault, new: NodeType, renamed: Mapping[str, str]) -> bool:
    node = fault.saved_node
    if not document.is_graph(fault.document):
        return all(_takes(new, name) for name in as_mapping(node.get("inputs")))
    inputs, outputs = objects(node.get("inputs")), objects(node.get("outputs"))
    names = [str(socket.get("name")) for socket in inputs]
    if not all(_takes(new, renamed.get(name, name)) for name in names):
        return False
    kinds = [o.get("type") for o in outputs]
    if len(kinds) > len(new.outputs) or any(
        ours not in ("*", theirs) and theirs != "*"
        for ours, theirs in zip(kinds, new.outputs, strict=False)
    ):
        return False
    values, slots = node.get("widgets_values"), layout(new)
    return not isinstance(values, list) or slots.dynamic or len(values) == len(slots.slots)


def _takes(new: NodeType, name: str) -> bool:
    return name in new.inputs or name.partition(".")[0] in new.inputs
