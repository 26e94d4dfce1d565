"""A saved workflow to the prompt that ComfyUI's frontend would send to the server."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity
from comfywatchman.workflow.budget import TOO_MANY_PROMOTED, Budget
from comfywatchman.workflow.disagreement import disagreements
from comfywatchman.workflow.graph import Graph, as_mapping
from comfywatchman.workflow.groups import unfold_groups
from comfywatchman.workflow.load import NOT_A_WORKFLOW
from comfywatchman.workflow.pack import loaded
from comfywatchman.workflow.promoted import Promotion, effective
from comfywatchman.workflow.prompt import Conversion, SavedNode, WorkflowError
from comfywatchman.workflow.resolve import Output, Resolver, Value
from comfywatchman.workflow.scope import (
    MAX_NODES,
    MAX_REPORTED,
    Scope,
    Unfolding,
    definitions,
    number_apart,
    too_many_nodes,
)
from comfywatchman.workflow.sockets import settle
from comfywatchman.workflow.widgets import layout, unnamed, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import Finding
    from comfywatchman.workflow.graph import Id, Node
    from comfywatchman.workflow.pack import Packs
    from comfywatchman.workflow.prompt import Prompt
    from comfywatchman.workflow.widgets import Layout

MALFORMED_NODE: Final = declare(
    "malformed_node",
    Severity.WARNING,
    title="Entry that is no node",
    explanation="An entry of the workflow's list of nodes is no object, or has no id. It was left"
    " out.",
    remedy="Open the workflow in ComfyUI, look at it, and save it again.",
)


def convert(
    document: Mapping[str, Any], catalog: Catalog, budget: Budget | None = None
) -> Conversion:
    """Make the prompt of a saved workflow.

    Both forms are taken: a workflow as the frontend saves it, and a prompt as *Export (API)*
    writes it (bare, or as ``{"prompt": …}``), which passes through.

    Args:
        document: what :func:`~comfywatchman.workflow.load.load` returned.
        catalog: the server's node types. Nodes of other types stay in the prompt without
            ``class_type``, as in the frontend's.
        budget: what it may cost; None: what any file may.

    Returns:
        The prompt; ids of nodes inside sub-graphs are paths, ``outer:inner:leaf``.

    Raises:
        WorkflowError: it is neither form, too large to unfold, or takes more than the budget.
    """
    if isinstance(document.get("nodes"), list):
        return _from_graph(document, catalog, budget or Budget())
    prompt = document.get("prompt")
    for candidate in (prompt, document):
        if isinstance(candidate, dict) and _is_prompt(candidate):
            return _from_prompt(candidate, document.get("partial_execution_targets"))
    raise WorkflowError(_not_a_workflow(document))


def _from_graph(document: Mapping[str, Any], catalog: Catalog, budget: Budget) -> Conversion:
    packs = loaded(catalog.packs)
    root = Graph(document, catalog)
    defined = definitions(document, catalog)
    last = number_apart(root, defined.values())
    grouped, findings = unfold_groups(root, document, catalog, packs, last, budget)
    defined.update(grouped)
    unfolding = Unfolding(root, defined, packs, budget)
    untold: list[str] = []
    for graph in (root, *defined.values()):
        settle(graph)
        untold += [sentence for wiring in packs.wirings for sentence in wiring(graph, budget)]
    promotion = Promotion(defined, budget)
    _promote(promotion, unfolding)
    prompt = _prompt(unfolding, packs, budget)
    meant = None
    if promotion.misleads:
        misled = [_promoted(scope, budget) for scope in unfolding.scopes]
        promotion = Promotion(defined, budget, as_meant=True)
        _promote(promotion, unfolding)
        if not all(
            _are_promoted(_promoted(scope, budget), before)
            for scope, before in zip(unfolding.scopes, misled, strict=True)
        ):
            meant = _prompt(unfolding, packs, budget)
    for scope in unfolding.scopes:
        host, parent = scope.host, scope.parent
        if host is not None and parent is not None and "widgets_values_named" in host.raw:
            used = promotion.by_name(scope)
            findings += _with_room(findings, disagreements(host, parent.node_id(host), used))
    untold += map(_seems_virtual, unfolding.assumed)
    findings += unfolding.findings
    conversion = Conversion(prompt, findings=findings, not_checked=untold, meant=meant)
    saved: dict[Node, SavedNode] = {}
    for _, node, node_id in unfolding.nodes:
        if node not in saved:
            saved[node] = _saved_node(node)
        conversion.nodes[node_id] = saved[node]
        if node.known is not None and "widgets_values_named" in node.raw:
            used = layout(node.known).saved_values(node.widgets_values)
            found = _with_room(conversion.findings, disagreements(node, node_id, used))
            conversion.findings.extend(found)
    unfolding.end()
    malformed = root.malformed + sum(graph.malformed for graph in defined.values())
    if malformed:
        conversion.findings.append(_malformed(malformed))
    return conversion


def _promote(promotion: Promotion, unfolding: Unfolding) -> None:
    for scope in unfolding.scopes:
        promotion.apply(scope)


def _with_room(before: list[Finding], more: Iterable[Finding]) -> Iterable[Finding]:
    """As many of more findings as a report could hold."""
    return islice(more, max(0, MAX_REPORTED - len(before)))


_Promoted = tuple[dict[int, Any], dict["Id", dict[str, Any]]]


def _promoted(scope: Scope, budget: Budget) -> _Promoted:
    """The promoted values and overrides that a scope has."""
    budget.spend(len(scope.promoted) + len(scope.inner), TOO_MANY_PROMOTED)
    return effective(scope), scope.overrides


def _are_promoted(ours: _Promoted, others: _Promoted) -> bool:
    """Whether they are the same promoted values and overrides."""
    return (
        _are_same(ours[0], others[0])
        and ours[1].keys() == others[1].keys()
        and all(_are_same(widgets, others[1][at]) for at, widgets in ours[1].items())
    )


def _are_same(ours: Mapping[Any, Any], others: Mapping[Any, Any]) -> bool:
    """Whether the very same values stand there: 1, 1.0 and true are equal, but not the same."""
    return ours.keys() == others.keys() and all(others[key] is v for key, v in ours.items())


def _prompt(unfolding: Unfolding, packs: Packs, budget: Budget) -> Prompt:
    """What is sent, promoted values included."""
    resolver = Resolver(packs, budget)
    read: dict[Node, dict[str, Any]] = {}
    prompt = {
        node_id: _entry(scope, node, resolver, packs, read)
        for scope, node, node_id in unfolding.nodes
    }
    _drop_dangling_links(prompt)
    return prompt


def _entry(
    scope: Scope,
    node: Node,
    resolver: Resolver,
    packs: Packs,
    read: dict[Node, dict[str, Any]],
) -> dict[str, Any]:
    """What the prompt says of one node; ``read`` holds the values that many instances share."""
    widgets = None if node.known is None else layout(node.known)
    if scope.counted and node in read:
        inputs = dict(read[node])
    else:
        saved = packs.saved(node)
        inputs = unnamed(saved) if widgets is None else widgets.read(saved)
        packs.values(node, inputs)
        if scope.counted:
            read[node] = dict(inputs)
    if node.id in scope.overrides:
        for name, value in scope.overrides[node.id].items():
            if name in inputs:
                inputs[name] = _given(Value(value, typed=False), name, widgets)
    sockets = resolver.wired(scope, node) if scope.counted else enumerate(node.inputs)
    for index, socket in sockets:
        if socket.get("link") is None:
            continue
        found = resolver.resolve(scope, node, index)
        if found is None:
            continue
        wired = socket.get("name")
        if not isinstance(wired, str):
            continue
        if isinstance(found, Output):
            inputs[wired] = [found.node_id, found.slot]
        elif widgets is not None or not found.typed or scope.host is not None:
            # At the top a primitive node writes into the widget, which an unknown type has not.
            inputs[wired] = _given(found, wired, widgets)
    entry: dict[str, Any] = {"inputs": inputs}
    if node.known is not None:
        entry["class_type"] = node.type
    title = node.title
    if title is not None:
        entry["_meta"] = {"title": title}
    return entry


def _given(value: Value, name: str, widgets: Layout | None) -> Any:
    """What stands in the prompt for a value that came to an input from elsewhere."""
    if widgets is None:
        return wrapped(value.value)
    take = widgets.typed if value.typed else widgets.handed_on
    return take(name, value.value)


def _drop_dangling_links(prompt: Prompt) -> None:
    for entry in prompt.values():
        inputs = entry["inputs"]
        for name in [n for n, v in inputs.items() if type(v) is list and v[0] not in prompt]:
            del inputs[name]


def _saved_node(node: Node) -> SavedNode:
    properties = node.raw.get("properties")
    if not isinstance(properties, dict) or not properties:
        return SavedNode(node.type, node.title)
    pack = properties.get("cnr_id") or properties.get("aux_id")
    version = properties.get("ver")
    saved = SavedNode(
        node.type,
        node.title,
        pack if isinstance(pack, str) else None,
        version if isinstance(version, str) else None,
    )
    listed = properties.get("models")
    if not isinstance(listed, list) or not listed:
        return saved
    models = {
        model["name"]: model["url"]
        for model in listed
        if isinstance(as_mapping(model).get("name"), str) and isinstance(model.get("url"), str)
    }
    return saved._replace(models=models)


def _is_prompt(candidate: Mapping[str, Any]) -> bool:
    """Whether an object is a prompt: nodes by id, at least one with its class type."""
    entries = candidate.values()
    return any(isinstance(e, dict) and isinstance(e.get("class_type"), str) for e in entries)


def _from_prompt(saved: Mapping[str, Any], targets: object) -> Conversion:
    """Pass a prompt through as it is: what is wrong with it is for the checks to say."""
    if len(saved) > MAX_NODES:
        raise WorkflowError(too_many_nodes())
    conversion = Conversion(
        dict(saved),
        targets=frozenset(t for t in targets if isinstance(t, str))
        if isinstance(targets, list)
        else None,
    )
    for node_id, entry in saved.items():
        class_type = as_mapping(entry).get("class_type")
        title = as_mapping(as_mapping(entry).get("_meta")).get("title")
        conversion.nodes[node_id] = SavedNode(
            class_type if isinstance(class_type, str) else "",
            title if isinstance(title, str) else None,
        )
    return conversion


def _seems_virtual(node_type: str) -> str:
    return (
        f"whether node type {quoted(node_type)} exists only in the browser: the server does not"
        " offer it, its pack is loaded, and nothing is wired to it"
    )


def _malformed(count: int) -> Finding:
    what = "an entry" if count == 1 else f"{count} entries"
    message = f"{what} among the workflow's nodes could not be read and was left out"
    return MALFORMED_NODE.finding(message, fix=MALFORMED_NODE.remedy)


def _not_a_workflow(document: Mapping[str, Any]) -> Finding:
    keys = ", ".join(quoted(key, 40) for key in list(document)[:5]) or "none"
    return NOT_A_WORKFLOW.finding(
        f"the file has neither a list of nodes nor nodes with a class_type (its keys: {keys})",
        fix="Move the file out of the workflow folder, or save the workflow again from ComfyUI.",
    )
