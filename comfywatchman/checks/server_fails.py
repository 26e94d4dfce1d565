"""A prompt at which the server itself breaks down, so that it answers HTTP 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.checks.engine.replacement import lost_inputs, rule_for
from comfywatchman.checks.versions import Rule
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Finding, Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import PromptCase
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.workflow.prompt import Prompt

SERVER_FAILS = declare(
    "server_fails",
    Severity.ERROR,
    title="Prompt at which the server itself fails",
    explanation="An exception ends the server's look at the prompt before it judges any node: it "
    "answers HTTP 500 without a reason, and nothing of the workflow runs, even if nothing needs "
    "the node that is named. What else is wrong with the workflow is then reported as warnings.",
    remedy="Mend or delete the node that is named. Files that ComfyUI's browser exported do not "
    "hold such nodes; those that were written or edited by hand or by a program may.",
)

_EXPORT_AGAIN = "delete the node, or export the workflow again from ComfyUI"


def finding(given: Prompt, whole: PromptCase) -> Finding | None:
    """Report the first node at which the server fails, if there is one.

    Args:
        given: the prompt before any node of it was replaced.
        whole: the prompt that is judged.
    """
    if Rule.NODES_REPLACED in whole.book.rules:
        # Before it judges the first node, such a server walks over all of them.
        for node_id, node in given.items():
            reason = _when_replacing(whole.catalog, node)
            if reason is not None:
                return _finding(node_id, node, reason)
    for node_id, node in whole.prompt.items():
        if node_id in whole.plans:
            continue
        reason = _when_looked_up(node, titles_read=Rule.MISSING_TYPE_NAMED in whole.book.rules)
        return None if reason is None else _finding(node_id, node, reason)
    return None


def _when_replacing(catalog: Catalog, node: Any) -> str | None:
    if not isinstance(node, dict):
        return f"it is {quoted(node)} instead of an object"
    if "class_type" not in node or "inputs" not in node:
        return None
    class_type, inputs = node["class_type"], node["inputs"]
    if isinstance(class_type, (list, dict)):
        return f"its type is {quoted(class_type)} instead of a name"
    if not isinstance(inputs, dict):
        return f"its 'inputs' are {quoted(inputs)} instead of an object"
    rule = rule_for(catalog, node)
    if rule is None:
        return None
    if not isinstance(node.get("_meta"), (dict, list)):
        return f"its type {quoted(class_type)} is to be replaced, and it has no '_meta'"
    lost = lost_inputs(rule, inputs)
    if lost:
        return (
            f"its type {quoted(class_type)} is to be replaced, and its input {quoted(lost[0])} is "
            "not there"
        )
    return None


def _when_looked_up(node: Any, *, titles_read: bool) -> str | None:
    if not isinstance(node, dict):
        fatal = titles_read or not isinstance(node, (str, list))
        return f"it is {quoted(node)} instead of an object" if fatal else None
    class_type = node.get("class_type")
    if isinstance(class_type, (list, dict)):
        return f"its type is {quoted(class_type)} instead of a name"
    if titles_read and not isinstance(node.get("_meta", {}), dict):
        return f"its type is unknown, and its '_meta' is {quoted(node['_meta'])}, not an object"
    return None


def _finding(node_id: str, node: Any, reason: str) -> Finding:
    class_type = node.get("class_type") if isinstance(node, dict) else None
    return SERVER_FAILS.finding(
        f"the server fails at node {quoted(node_id)} (HTTP 500): {reason}",
        fix=_EXPORT_AGAIN,
        node_id=node_id,
        node_type=class_type if isinstance(class_type, str) else None,
    )
