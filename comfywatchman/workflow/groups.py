"""Group nodes: the sub-graphs of old frontends, kept in ``extra.groupNodes``.

A group node ``workflow>NAME`` shows the unwired sockets of the nodes inside it as its own, named
after them or as the recipe's ``config`` says (a name that is taken gets the inner node's type
before it), and their widgets one after another; those that were made inputs come last. Frontend
1.58.1 makes a sub-graph of it when it opens the workflow; so does this module.
"""

from __future__ import annotations

from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity
from comfywatchman.workflow import sockets
from comfywatchman.workflow.budget import NODE, TOO_MUCH_UNFOLDED, steps_of_values
from comfywatchman.workflow.graph import (
    ALWAYS,
    SUBGRAPH_INPUT,
    SUBGRAPH_OUTPUT,
    Definition,
    Node,
    as_mapping,
    objects,
)
from comfywatchman.workflow.scope import MAX_REPORTED
from comfywatchman.workflow.widgets import layout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import Finding
    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Graph, Id
    from comfywatchman.workflow.pack import Packs

UNSUPPORTED: Final = declare(
    "group_node_unsupported",
    Severity.ERROR,
    title="Group node that cannot be unfolded",
    explanation="A group node (an old kind of sub-graph) has no recipe in the file, or holds a node"
    " type that this server does not offer. ComfyUI shows it as a missing node.",
    remedy="Install what provides the node types inside it, or replace the group node.",
)

_NONE: Final = object()
"""In place of a value that the group node does not hold."""

_PREFIXES: Final = ("workflow>", "workflow/")


def unfold_groups(
    root: Graph,
    document: Mapping[str, Any],
    catalog: Catalog,
    packs: Packs,
    last: int,
    budget: Budget,
) -> tuple[dict[str, Definition], list[Finding]]:
    """Turn the group nodes of a graph into instances of sub-graphs.

    Args:
        root: the graph; its group nodes are changed in place.
        document: the workflow, for the recipes.
        catalog: the server's node types.
        packs: the packs whose JavaScript runs.
        last: the highest node id given out so far; the nodes get those after it.
        budget: what unfolding them is taken from.

    Returns:
        The definitions of those sub-graphs by id, and a finding for each group node left as it is,
        as far as a report could hold them.

    Raises:
        WorkflowError: that takes more than the budget allows.
    """
    recipes = as_mapping(as_mapping(document.get("extra")).get("groupNodes"))
    definitions: dict[str, Definition] = {}
    findings: list[Finding] = []
    steps: dict[str, int] = {}
    for node in root.nodes.values():
        if not node.type.startswith(_PREFIXES):
            continue
        name = node.type[len(_PREFIXES[0]) :]
        if name not in steps:
            steps[name] = _steps_of(recipes.get(name), catalog)
        budget.spend(steps[name], TOO_MUCH_UNFOLDED)
        inner = _inner_nodes(recipes.get(name), catalog, packs)
        if inner is None:
            if len(findings) < MAX_REPORTED:
                findings.append(_unsupported(node, name))
            continue
        recipe = _Recipe(inner, recipes[name], catalog, packs)
        definition = recipe.definition(f"{node.type} {node.id}", name, node)
        node.raw = {**node.raw, "widgets_values": None}
        definitions[definition.id] = definition
        node.type, node.mode = definition.id, ALWAYS
        parts = (*definition.nodes.values(), node)
        for number, part in enumerate(parts, last + 1):
            part.number = number
        last += len(parts)
    return definitions, findings


def _steps_of(recipe: object, catalog: Catalog) -> int:
    """Steps for making a sub-graph of a recipe once."""
    parts = as_mapping(recipe)
    nodes = objects(parts.get("nodes"))
    known = (catalog.find(kind) for node in nodes if isinstance(kind := node.get("type"), str))
    return (
        3 * NODE * len(nodes)
        + 5 * sum(len(node_type.inputs) for node_type in known if node_type is not None)
        + 5 * sum(len(objects(node.get("inputs"))) for node in nodes)
        + steps_of_values(parts)
    )


def _inner_nodes(recipe: object, catalog: Catalog, packs: Packs) -> list[Node] | None:
    """The nodes of a recipe; None if there is no recipe or one of them is unknown."""
    entries = as_mapping(recipe).get("nodes")
    if not isinstance(entries, list) or not entries:
        return None
    nodes = [Node(at, {**entry, "id": at}, catalog) for at, entry in enumerate(objects(entries))]
    known = all(packs.is_virtual(node) or node.known is not None for node in nodes)
    return nodes if known else None


class _Recipe:
    """A group node's recipe, on its way to a sub-graph definition."""

    def __init__(
        self, nodes: list[Node], recipe: Mapping[str, Any], catalog: Catalog, packs: Packs
    ) -> None:
        self._nodes = nodes
        self._catalog = catalog
        self._primitives = packs.primitives
        self._links: list[list[Any]] = []
        self._new: dict[int, list[tuple[int | None, str, Id]]] = {}
        self._wired: set[tuple[int, str]] = set()
        self._used: set[tuple[int, int]] = set()
        self._converted = {
            (at, name)
            for at, node in enumerate(nodes)
            for socket in node.inputs
            if "widget" in socket and isinstance(name := socket.get("name"), str)
        }
        external = recipe.get("external")
        self._external = {
            (entry[0], entry[1])
            for entry in (external if isinstance(external, list) else ())
            if isinstance(entry, list) and len(entry) > 1 and _are_indexes(entry[:2])
        }
        self._config = as_mapping(recipe.get("config"))
        self._types: dict[tuple[int, int], str] = {}
        links = recipe.get("links")
        for entry in links if isinstance(links, list) else ():
            if isinstance(entry, list) and len(entry) > 3 and _are_indexes(entry[:4]):
                self._wire_inside(*entry[:4])
            elif isinstance(entry, list) and len(entry) > 5 and _are_indexes(entry[2:4]):
                self._types[entry[2], entry[3]] = entry[5] if isinstance(entry[5], str) else ""
        self._converted -= self._wired

    def definition(self, definition_id: str, name: str, host: Node) -> Definition:
        """Make the sub-graph of one group node."""
        self._share_out(host.widgets_values)
        wired = {socket.get("name") for socket in host.inputs if socket.get("link") is not None}
        inputs = list(self._open_inputs(wired))
        outputs = list(self._open_outputs())
        for at, wires in self._new.items():
            self._nodes[at].wire(wires)
        return Definition(
            {
                "id": definition_id,
                "name": name,
                "nodes": [{**node.raw, "inputs": node.inputs} for node in self._nodes],
                "links": self._links,
                "inputs": inputs,
                "outputs": outputs,
            },
            self._catalog,
        )

    def _wire_inside(self, origin: int, slot: int, target: int, target_slot: int) -> None:
        if origin >= len(self._nodes) or target >= len(self._nodes):
            return
        node = self._nodes[target]
        if target_slot < len(node.inputs):
            name = node.inputs[target_slot].get("name")
            if isinstance(name, str):
                self._wire(origin, slot, target, name)
                self._wired.add((target, name))
                self._used.add((origin, slot))

    def _wire(self, origin: int, slot: int, target: int, name: str) -> None:
        link_id = len(self._links) + 1
        self._links.append([link_id, origin, slot, target, -1, "*"])
        place = self._nodes[target].input_index(name)
        self._new.setdefault(target, []).append((place, name, link_id))

    def _open_inputs(self, wired: Collection[object]) -> Iterator[dict[str, Any]]:
        """The inputs of the sub-graph: sockets inside that nothing inside is wired to.

        Args:
            wired: names of the group node's inputs that are wired. A widget that was made an input
                is one only then; else it has the value that the group node holds.
        """
        taken: set[str] = set()
        slot = 0
        for at, node in enumerate(self._nodes):
            for socket in sockets.inputs(node):
                key = (at, socket.name)
                if key in self._wired or (socket.has_widget and key not in self._converted):
                    continue
                # A reroute's input has no name of its own, but the type of what came from outside.
                own = socket.name or self._types.get((at, socket.saved or 0), "")
                name = self._configured_name(at, own) or own
                if name in taken:
                    name = f"{node.title or node.type} {own}"
                taken.add(name)
                if socket.has_widget and name not in wired:
                    continue
                self._wire(SUBGRAPH_INPUT, slot, at, socket.name)
                yield {"name": name, "type": socket.type}
                slot += 1

    def _configured_name(self, at: int, name: str) -> str:
        """What the recipe calls an input of one of its nodes; empty if it does not say."""
        inputs = as_mapping(as_mapping(self._config.get(str(at))).get("input"))
        configured = as_mapping(inputs.get(name)).get("name")
        return configured if isinstance(configured, str) else ""

    def _open_outputs(self) -> Iterator[dict[str, Any]]:
        """The outputs of the sub-graph: those inside that are unused, or marked as external."""
        slot = 0
        for at, node in enumerate(self._nodes):
            known = node.known
            for inner_slot in range(len(known.outputs if known is not None else node.outputs)):
                if (at, inner_slot) in self._used and (at, inner_slot) not in self._external:
                    continue
                link_id = len(self._links) + 1
                self._links.append([link_id, at, inner_slot, SUBGRAPH_OUTPUT, slot, "*"])
                yield {"name": str(slot)}
                slot += 1

    def _share_out(self, values: object) -> None:
        """Give each node inside its part of the group node's widget values.

        The values of widgets that were made inputs come after all others.
        """
        rest = iter(values if isinstance(values, list) else ())
        shares: list[list[Any]] = []
        later: list[tuple[list[Any], int]] = []
        for at, node in enumerate(self._nodes):
            own = node.widgets_values if isinstance(node.widgets_values, list) else []
            share: list[Any] = []
            shares.append(share)
            if node.known is None:
                share += islice(rest, len(own) if node.type in self._primitives else 0)
                continue
            name = ""
            for place, slot in enumerate(layout(node.known).slots):
                name = name if slot is None else slot.name
                if (at, name) in self._converted:
                    later.append((share, place))
                elif (at, name) not in self._wired:
                    share.append(next(rest, _NONE))
                    continue
                share.append(own[place] if place < len(own) else None)
        for share, place in later:
            share[place] = next(rest, share[place])
        for node, share in zip(self._nodes, shares, strict=True):
            saved = list(takewhile(lambda value: value is not _NONE, share))
            node.raw = {**node.raw, "widgets_values": saved}


def _are_indexes(entries: list[Any]) -> bool:
    return all(type(entry) is int and entry >= 0 for entry in entries)


def _unsupported(node: Node, name: str) -> Finding:
    return UNSUPPORTED.finding(
        f"the group node {quoted(name)} cannot be unfolded: the file lacks its recipe, or the"
        " server lacks a node type inside it",
        fix="Open the workflow in ComfyUI and replace the group node.",
        node_id=str(node.id),
        node_type=node.type,
    )
