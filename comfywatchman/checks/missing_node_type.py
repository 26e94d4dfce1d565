"""A node whose type the server does not offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import on_prompt
from comfywatchman.findings import Advice, declare, printable, quoted
from comfywatchman.results import Confidence, Finding, FixKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import PromptCase

MISSING_NODE_TYPE = declare(
    "missing_node_type",
    Severity.ERROR,
    title="Node type not offered by this server",
    explanation="The workflow uses a node type that the server does not know: its custom node pack "
    "is not installed, failed to import, or has renamed or dropped the type. The server refuses "
    "such a prompt as a whole, even if nothing needs the node. What else is wrong with the "
    "workflow is then reported as warnings, since the server does not get that far.",
    remedy="Install the pack that is named, or, if it is installed, look for its name in ComfyUI's "
    "log: the import may have failed. Types that ComfyUI itself brings need a newer ComfyUI.",
)

_CORE_PACK = "comfy-core"


@on_prompt
def check(case: PromptCase) -> Iterator[Finding]:
    """Report every node of unknown type, reachable or not."""
    for node_id, node in case.prompt.items():
        if node_id in case.plans or node_id in case.explained:
            continue
        class_type = node.get("class_type") if isinstance(node, dict) else None
        saved = case.nodes.get(node_id)
        name = saved.type if saved is not None else class_type
        if not isinstance(name, str) or not name:
            yield MISSING_NODE_TYPE.finding(
                "a node has no type ('class_type')",
                fix="save the workflow again from ComfyUI, or remove the node",
                node_id=node_id,
            )
            continue
        yield MISSING_NODE_TYPE.finding(
            f"node type {quoted(name)} is not offered by this server",
            fix=_fix(case, name, saved.pack if saved is not None else None),
            node_id=node_id,
            node_type=name,
        )


def _fix(case: PromptCase, name: str, pack: str | None) -> Advice:
    alike = case.book.spelled_alike(name)
    if alike is not None:
        return Advice(
            f"the server has {quoted(alike)}: node types are told apart by case",
            FixKind.REPLACE_NODE,
            Confidence.LIKELY,
            before=name,
            after=alike,
        )
    if pack == _CORE_PACK:
        return Advice(
            "update ComfyUI: this node type comes with a newer version of it, or was removed",
            FixKind.UPDATE_SERVER,
        )
    if pack:
        return Advice(
            f"install the custom node pack {quoted(pack)} (ComfyUI-Manager > Install Missing "
            f"Custom Nodes); if it is installed, its import failed: look for "
            f"'{printable(pack)}' in ComfyUI's log",
            FixKind.INSTALL_PACK,
            Confidence.LIKELY,
            after=pack,
        )
    return Advice(
        "install the custom node pack that provides it (ComfyUI-Manager > Install Missing Custom "
        "Nodes); if it is installed, its import failed: see ComfyUI's log",
        FixKind.INSTALL_PACK,
    )
