"""Widget values that a file holds twice, and differently.

New frontends save a node's widget values by position and, as ``widgets_values_named``, by name. The
values by position are the ones used; where those by name say something else, the file was changed
by hand, or the node type's widgets have moved since it was saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from comfywatchman.results import Finding
    from comfywatchman.workflow.graph import Node

DISAGREE: Final = declare(
    "widget_values_disagree",
    Severity.WARNING,
    title="Two values saved for one widget",
    explanation="The file holds the values of a node's widgets by position and by name, and for"
    " this widget they differ. ComfyUI uses the one by position, unless its setting"
    " `Comfy.Workflow.NamedValuesRestore` is on. It happens when a file is edited by hand, or when"
    " the widgets of a node type have changed since the workflow was saved.",
    remedy="Open the workflow in ComfyUI, check the value, and save it.",
)


def disagreements(node: Node, node_id: str, used: Mapping[str, Any]) -> Iterator[Finding]:
    """Compare the values a node is given by position with those saved by name.

    Args:
        node: the saved node.
        node_id: its id in the prompt.
        used: its values by position, by input name.
    """
    named = node.raw.get("widgets_values_named")
    if not isinstance(named, dict):
        return
    for name, value in named.items():
        if name in used and _differ(used[name], value):
            yield DISAGREE.finding(
                f"two values are saved: {quoted(used[name])} by position, which counts, and"
                f" {quoted(value)} by name",
                fix="Open the workflow in ComfyUI, check this value, and save the workflow.",
                node_id=node_id,
                node_type=node.type,
                input=name,
            )


def _differ(one: Any, other: Any) -> bool:
    """Whether two plain values differ; structures are drawn anew too often to be compared."""
    plain = (str, int, float, bool)
    return isinstance(one, plain) and isinstance(other, plain) and one != other
