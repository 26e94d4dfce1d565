"""Node replacement: what newer servers put in the place of a node type that is gone.

``GET /node_replacements`` maps a class type to the node types that can take its place. Before it
validates a prompt, the server replaces each node of unknown type that has ``inputs``, if it knows
the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import Finding
    from comfywatchman.workflow.prompt import Prompt

NODE_REPLACED = declare(
    "node_replaced",
    Severity.INFO,
    title="Node type that the server replaces",
    explanation="The node type is gone, but the server knows another that takes its place, and "
    "judges and runs the workflow with that one. Where the server knows no successors of the "
    "node's inputs, the new node has none at all.",
    remedy="Open the workflow in the browser, let it replace the node, and save it.",
)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A prompt in which nodes may have been replaced, and what to say about it.

    Attributes:
        prompt: the prompt that the server judges.
        findings: which nodes were replaced.
        unsure: a sentence for the report's ``not_checked`` if it is up to chance whether the
            server can replace them, else None.
    """

    prompt: Prompt
    findings: list[Finding] = field(default_factory=list)
    unsure: str | None = None


def replaced(prompt: Prompt, catalog: Catalog) -> Replacement:
    """Replace nodes as the server would; the prompt that is given stays as it is."""
    rules = {node_id: rule for node_id, node in prompt.items() if (rule := rule_for(catalog, node))}
    if not rules:
        return Replacement(prompt)
    moved = {node_id: _moved_slots(rule) for node_id, rule in rules.items()}
    nodes: dict[str, Any] = {}
    findings: list[Finding] = []
    unsure = None
    for node_id, node in prompt.items():
        nodes[node_id] = relinked = _relinked(node, moved)
        rule = rules.get(node_id)
        if rule is None:
            continue
        new, old = rule["new_node_id"], node["class_type"]
        inputs = dict(_new_inputs(rule, relinked["inputs"]))
        nodes[node_id] = {**node, "class_type": new, "inputs": inputs}
        for name, value in node["inputs"].items():
            if _moves(value, moved) and inputs.get(name) is not relinked["inputs"][name]:
                unsure = (
                    f"whether the server can replace nodes {quoted(node_id)} and "
                    f"{quoted(value[0])}: they are wired to each other, and the order in which it "
                    "takes them is up to chance"
                )
        findings.append(
            NODE_REPLACED.finding(
                f"node type {quoted(old)} is gone; the server uses {quoted(new)} instead",
                fix="open the workflow in the browser and save it with the new node",
                node_id=node_id,
                node_type=str(old),
            )
        )
    return Replacement(nodes, findings, unsure)


def rule_for(catalog: Catalog, node: object) -> Mapping[str, Any] | None:
    """What the server puts in the place of a node of a prompt, None if it leaves it alone.

    Only the first rule of a class type counts, even if the server lacks the type it names.
    """
    if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):
        return None
    class_type = node.get("class_type")
    if not isinstance(class_type, str) or class_type in catalog:
        return None
    offered = catalog.replacements.get(class_type)
    first = offered[0] if isinstance(offered, list) and offered else None
    known = isinstance(first, Mapping) and first.get("new_node_id") in catalog
    return first if known else None


def lost_inputs(rule: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    """The old inputs that a rule wants to take over and that the node does not have."""
    return [
        entry["old_id"]
        for entry in _entries(rule, "input_mapping")
        if "set_value" not in entry
        and isinstance(entry.get("old_id"), str)
        and entry["old_id"] not in inputs
    ]


def _entries(rule: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = rule.get(key)
    return [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []


def _new_inputs(rule: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for entry in _entries(rule, "input_mapping"):
        new, old = entry.get("new_id"), entry.get("old_id")
        if not isinstance(new, str):
            continue
        if "set_value" in entry:
            yield new, entry["set_value"]
        elif isinstance(old, str) and old in given:
            yield new, given[old]


def _moved_slots(rule: Mapping[str, Any]) -> dict[object, object]:
    return {
        old: entry.get("new_idx")
        for entry in _entries(rule, "output_mapping")
        if isinstance(old := entry.get("old_idx"), (int, float))
    }


def _moves(value: object, moved: Mapping[str, Mapping[object, object]]) -> bool:
    """Whether a value is a link to an output that got another number."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], (int, float))
        and value[1] in moved.get(value[0], {})
    )


def _relinked(node: Any, moved: Mapping[str, Mapping[object, object]]) -> Any:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict):
        return node
    changed = {
        name: [value[0], moved[value[0]][value[1]]]
        for name, value in inputs.items()
        if _moves(value, moved)
    }
    return {**node, "inputs": {**inputs, **changed}} if changed else node
