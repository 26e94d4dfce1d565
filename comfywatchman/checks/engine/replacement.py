"""Node replacement: what newer servers put in the place of a node type that is gone.

``GET /node_replacements`` maps a class type to the node types that can take its place. Before it
validates a prompt, the server replaces each node of unknown type by the first that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import Finding
    from comfywatchman.workflow.prompt import Prompt

NODE_REPLACED = declare(
    "node_replaced",
    Severity.INFO,
    title="Node type that the server replaces",
    explanation="The node type is gone, but the server knows another that takes its place, and "
    "judges and runs the workflow with that one.",
    remedy="Open the workflow in the browser, let it replace the node, and save it.",
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A prompt in which nodes may have been replaced, and what to say about it."""

    prompt: Prompt
    findings: list[Finding] = field(default_factory=list)


def replaced(prompt: Prompt, catalog: Catalog) -> Replacement:
    """Replace nodes as the server would; the prompt that is given stays as it is."""
    if not catalog.replacements:
        return Replacement(prompt)
    nodes: dict[str, Any] = dict(prompt)
    findings: list[Finding] = []
    slots: dict[str, dict[object, object]] = {}
    for node_id, node in prompt.items():
        old = node.get("class_type") if isinstance(node, dict) else None
        rule = _rule(catalog, old)
        if rule is None:
            continue
        new = rule["new_node_id"]
        nodes[node_id] = {**node, "class_type": new, "inputs": _inputs(rule, node.get("inputs"))}
        slots[node_id] = {
            slot: entry.get("new_idx")
            for entry in _entries(rule, "output_mapping")
            if isinstance(slot := entry.get("old_idx"), (int, float))
        }
        findings.append(
            NODE_REPLACED.finding(
                f"node type {quoted(old)} is gone; the server uses {quoted(new)} instead",
                fix="open the workflow in the browser and save it with the new node",
                node_id=node_id,
                node_type=str(old),
            )
        )
    if slots:
        for node_id, node in nodes.items():
            nodes[node_id] = _relinked(node, slots)
    return Replacement(nodes, findings)


def _rule(catalog: Catalog, class_type: object) -> Mapping[str, Any] | None:
    if not isinstance(class_type, str) or class_type in catalog:
        return None
    offered = catalog.replacements.get(class_type)
    for rule in offered if isinstance(offered, list) else ():
        if isinstance(rule, Mapping) and rule.get("new_node_id") in catalog:
            return rule
    return None


def _entries(rule: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = rule.get(key)
    return [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []


def _inputs(rule: Mapping[str, Any], given: object) -> object:
    mapping = _entries(rule, "input_mapping")
    if not mapping or not isinstance(given, Mapping):
        return given
    inputs: dict[str, Any] = {}
    for entry in mapping:
        new = entry.get("new_id")
        if not isinstance(new, str):
            continue
        if "set_value" in entry:
            inputs[new] = entry["set_value"]
        elif isinstance(old := entry.get("old_id"), str) and old in given:
            inputs[new] = given[old]
    return inputs


def _relinked(node: Any, slots: Mapping[str, Mapping[object, object]]) -> Any:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict):
        return node
    changed: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            moved = slots.get(value[0], {})
            if isinstance(value[1], int) and value[1] in moved:
                changed[name] = [value[0], moved[value[1]]]
    return {**node, "inputs": {**inputs, **changed}} if changed else node
