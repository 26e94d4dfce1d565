"""A node whose type the server does not offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from comfywatchman.checks.engine import absence
from comfywatchman.checks.engine.case import MAX_FINDINGS
from comfywatchman.checks.engine.registry import on_prompt
from comfywatchman.comfyui.provenance.pack import alike
from comfywatchman.findings import Advice, declare, quoted
from comfywatchman.results import Confidence, Finding, FixKind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.checks.engine.case import PromptCase
    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.workflow.prompt import Prompt, SavedNode

MISSING_NODE_TYPE = declare(
    "missing_node_type",
    Severity.ERROR,
    title="Node type not offered by this server",
    explanation="The workflow uses a node type that the server does not know. The server refuses "
    "such a prompt as a whole, even if nothing needs the node. What else is wrong with the "
    "workflow is then reported as warnings, since the server does not get that far. Why the type "
    "is not there is told beside it, once for all types with the same reason, by one of: "
    "`pack_not_installed`, `pack_disabled`, `pack_import_failed`, `pack_restart_pending`, "
    "`node_type_fails`, `node_type_gone`, `comfyui_too_old`, `core_node_type_not_loaded`.",
    remedy="Do what the finding beside it says. Where there is none, nobody who was asked knows "
    "where the type comes from: look for it in the registry of node packs, or in ComfyUI's log, as "
    "the import of its pack may have failed.",
)

_MOST_TYPES = MAX_FINDINGS
"""Types of one prompt whose origin is looked for."""


class Missing(NamedTuple):
    """A node of a type that the server does not offer.

    Attributes:
        node_id: its id in the prompt.
        name: its type; None if it has none.
        pack: the pack that the workflow says it is from.
        version: the version of that pack.
    """

    node_id: str
    name: str | None
    pack: str | None = None
    version: str | None = None


def missing(prompt: Prompt, nodes: Mapping[str, SavedNode], catalog: Catalog) -> Iterator[Missing]:
    """Find the nodes of unknown type, reachable or not.

    Args:
        prompt: the prompt; nothing about its shape is taken for granted.
        nodes: what the saved file says of its nodes, by id.
        catalog: the node types of the server.
    """
    offered: set[object] = set()
    for node_id, node in prompt.items():
        class_type = node.get("class_type") if isinstance(node, dict) else None
        if isinstance(class_type, str):
            if class_type in offered:
                continue
            if class_type in catalog:
                offered.add(class_type)
                continue
        saved = nodes.get(node_id)
        name = saved.type if saved is not None else class_type
        if not isinstance(name, str) or not name:
            yield Missing(node_id, None)
        elif saved is None:
            yield Missing(node_id, name)
        else:
            yield Missing(node_id, name, saved.pack, saved.pack_version)


def missing_types(
    prompt: Prompt, nodes: Mapping[str, SavedNode], catalog: Catalog
) -> list[tuple[str, str | None, str | None]]:
    """The types whose origin :func:`check` asks for: name, pack and its version."""
    return _types(missing(prompt, nodes, catalog))


def _types(nodes: Iterable[Missing]) -> list[tuple[str, str | None, str | None]]:
    distinct = dict.fromkeys(
        (node.name, node.pack, node.version) for node in nodes if node.name is not None
    )
    return list(distinct)[:_MOST_TYPES]


@on_prompt
def check(case: PromptCase) -> Iterator[Finding]:
    """Report every node of unknown type, reachable or not, and then why the types are missing."""
    nodes = list(missing(case.prompt, case.nodes, case.catalog))
    if not nodes:
        return
    reasons: dict[tuple[str, ...], absence.Reason] = {}
    of_types: dict[tuple[str | None, ...], absence.Reason] = {}
    for name, pack, version in _types(nodes):
        if case.book.spelled_alike(name) is None:
            origin = case.provenance.origin(name, pack, version)
            reason = absence.reason(origin, name, version, case.catalog.version)
            of_types[name, pack, version] = reasons.setdefault(reason.key, reason)
    found: list[tuple[Missing, absence.Reason | None]] = []
    first_nodes: dict[tuple[str, ...], str] = {}
    for node in nodes:
        if node.node_id in case.explained:
            continue
        why = of_types.get((node.name, node.pack, node.version))
        if why is not None and node.name is not None:
            why.types.append(node.name)
            first_nodes.setdefault(why.key, node.node_id)
        found.append((node, why))
    absence.one_update(reasons.values())
    for node, why in found:
        yield _finding(case, node, why)
    for key, node_id in first_nodes.items():
        explanation = reasons[key].finding(node_id)
        if explanation is not None:
            # A pack that changed is told of once, whether or not other types of it are loaded.
            case.first(absence.RESTART_PENDING, alike(explanation.subject.name))
            yield explanation


def _finding(case: PromptCase, node: Missing, reason: absence.Reason | None) -> Finding:
    if node.name is None:
        return MISSING_NODE_TYPE.finding(
            "a node has no type ('class_type')",
            fix="save the workflow again from ComfyUI, or remove the node",
            node_id=node.node_id,
        )
    other_case = case.book.spelled_alike(node.name)
    fixes = reason.fixes if reason is not None else None
    return MISSING_NODE_TYPE.finding(
        f"node type {quoted(node.name)} is not offered by this server",
        fix=fixes if other_case is None else [_other_case(node.name, other_case)],
        node_id=node.node_id,
        node_type=node.name,
        cause=reason.subject if reason is not None else None,
    )


def _other_case(name: str, offered: str) -> Advice:
    return Advice(
        f"the server has {quoted(offered)}: node types are told apart by case",
        FixKind.REPLACE_NODE,
        Confidence.LIKELY,
        before=name,
        after=offered,
    )
