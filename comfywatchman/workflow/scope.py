"""Scopes: the graphs a workflow unfolds into, one for each instance of a sub-graph in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity
from comfywatchman.workflow.budget import NODE, TOO_MUCH_UNFOLDED, Budget, steps_of_values
from comfywatchman.workflow.graph import (
    BYPASSED,
    MUTED,
    UUID,
    UUID_LENGTH,
    Definition,
    Graph,
    as_mapping,
)
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.results import Finding
    from comfywatchman.workflow.graph import Id, Node
    from comfywatchman.workflow.pack import Packs

MAX_NODES: Final = 100_000
"""Nodes a workflow may unfold into; the largest official one has some hundred."""

_FEW: Final = 8
"""Instances of a sub-graph that are no more work than their file is large."""
_LONG: Final = 400
"""Letters before the number of a node, likewise: fifty sub-graphs within one another."""

MAX_NESTING: Final = 50
"""Sub-graphs within one another that are followed."""

MAX_REPORTED: Final = 1_000
"""Instances that are reported; more than a report holds, and few enough for the memory."""

DEFINITION_MISSING: Final = declare(
    "subgraph_definition_missing",
    Severity.ERROR,
    title="Sub-graph without its definition",
    explanation="A node is an instance of a sub-graph that the file does not define. ComfyUI shows"
    " it as a missing node and refuses the workflow.",
    remedy="Put the sub-graph into the workflow again, and save it.",
)
RECURSIVE: Final = declare(
    "subgraph_recursive",
    Severity.ERROR,
    title="Sub-graph that holds itself",
    explanation="A sub-graph holds an instance of itself, directly or through others, so it can"
    " never be unfolded.",
    remedy="Remove the instance from inside the sub-graph, and save the workflow.",
)


@dataclass(slots=True, eq=False)
class Scope:
    """One graph where it is used: the root, or the inside of one instance of a sub-graph.

    Attributes:
        graph: what is in it.
        prefix: what the ids of its nodes start with in the prompt: ``""``, ``"12:"``, ``"12:7:"``.
        parent: the scope its host is in; None for the root.
        host: the instance, a node of the parent; None for the root.
        counted: whether its nodes are taken from the budget, and what instances share is
            remembered: others came before it, or its nodes have very long ids.
        promoted: by input slot of the definition, the value the host gives it.
        inner: by input slot, the value of the widget inside, where the host gives none; all
            instances of the definition share it.
        overrides: by inner node, then by widget, the value the host gives it past the inputs.
        instances: by host id, the scope of each instance inside that is in use.
        sent: by node id, the prompt's id of each node that is there and gives out its own outputs:
            where nearly every link ends at once.
    """

    graph: Graph
    prefix: str = ""
    parent: Scope | None = None
    host: Node | None = None
    counted: bool = False
    promoted: dict[int, Any] = field(default_factory=dict)
    inner: Mapping[int, Any] = field(default_factory=dict)
    overrides: dict[Id, dict[str, Any]] = field(default_factory=dict)
    instances: dict[Id, Scope] = field(default_factory=dict)
    sent: dict[Id, str] = field(default_factory=dict)

    def node_id(self, node: Node) -> str:
        """The id a node of this scope has in the prompt."""
        return f"{self.prefix}{node.number}"

    def around(self) -> Iterator[Scope]:
        """This scope and the ones it is in, outwards."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class Unfolding:
    """A workflow with every sub-graph in use unfolded.

    Attributes:
        scopes: the root, then the instances in the order met.
        nodes: what the prompt will hold, in the file's order, each with its scope and its id.
        findings: instances that could not be unfolded; they stay in ``nodes``.
        assumed: types of nodes that were left out because they look as if only drawn.

    Args:
        root: the workflow's own graph.
        definitions: the sub-graph definitions by id.
        packs: the packs whose JavaScript runs.
        budget: what unfolding it is taken from.

    Raises:
        WorkflowError: it unfolds into more than :data:`MAX_NODES` nodes, or than the budget allows.
    """

    def __init__(
        self,
        graph: Graph,
        definitions: Mapping[str, Definition],
        packs: Packs,
        budget: Budget,
    ) -> None:
        self._definitions = definitions
        self._budget = budget
        self._steps: dict[Node, int] = {}
        self.findings: list[Finding] = []
        self.assumed: dict[str, None] = {}
        self.nodes: list[tuple[Scope, Node, str]] = []
        root = Scope(graph)
        self.scopes = [root]
        seen = 0
        pending = [(root, iter(root.graph.nodes.values()))]
        while pending:
            scope, nodes = pending[-1]
            for node in nodes:
                seen += 1
                if seen > MAX_NODES:
                    raise WorkflowError(too_many_nodes())
                if scope.counted:
                    budget.spend(self._steps_of(scope, node), TOO_MUCH_UNFOLDED)
                off = node.mode in (MUTED, BYPASSED)
                # Inside a sub-graph the frontend unfolds an instance that is switched off, too.
                if packs.is_virtual(node) or (off and scope is root):
                    continue
                inner = self._instance(scope, node)
                if inner is None:
                    if node.known is None and packs.seems_virtual(scope.graph, node):
                        self.assumed[node.type] = None
                    elif not off:
                        node_id = scope.node_id(node)
                        self.nodes.append((scope, node, node_id))
                        if node.type not in packs.primitives:
                            scope.sent[node.id] = node_id
                    continue
                scope.instances[node.id] = inner
                self.scopes.append(inner)
                pending.append((inner, iter(inner.graph.nodes.values())))
                break
            else:
                pending.pop()

    def _steps_of(self, scope: Scope, node: Node) -> int:
        """Steps for one more copy of a node of a sub-graph, down to its verdict."""
        steps = self._steps.get(node)
        if steps is None:
            declared = len(node.known.inputs) if node.known is not None else 0
            named = node.raw.get("widgets_values_named")
            steps = NODE + declared + steps_of_values(node.widgets_values, named)
            self._steps[node] = steps
        return steps + len(scope.prefix) // NODE

    def end(self) -> None:
        """Let go of the scopes, which hold one another and through their graphs the whole file.

        Else it would stay in the memory until the garbage collector looks for such circles, which
        in a cycle over many files takes longer than converting some of them.
        """
        for scope in self.scopes:
            scope.instances.clear()

    def _instance(self, scope: Scope, node: Node) -> Scope | None:
        """The scope of a node that is an instance of a sub-graph; None for any other node."""
        definition = self._definitions.get(node.type)
        has_room = len(self.findings) < MAX_REPORTED
        if definition is None:
            if has_room and len(node.type) == UUID_LENGTH and UUID.fullmatch(node.type):
                self._report_missing(scope, node)
            return None
        around = [s.graph for s in scope.around()]
        if definition in around or len(around) > MAX_NESTING:
            if has_room:
                self._report_recursive(scope, node, definition)
            return None
        definition.uses += 1
        prefix = f"{scope.node_id(node)}:"
        counted = definition.uses > _FEW or len(prefix) > _LONG
        return Scope(definition, prefix, scope, node, counted=counted)

    def _report_missing(self, scope: Scope, node: Node) -> None:
        title = f" ({quoted(node.title)})" if node.title else ""
        self.findings.append(
            DEFINITION_MISSING.finding(
                f"the node{title} is an instance of a sub-graph that the file does not define",
                fix="Open the workflow in ComfyUI, put the sub-graph in again, and save it.",
                node_id=scope.node_id(node),
                node_type=node.type,
            )
        )

    def _report_recursive(self, scope: Scope, node: Node, definition: Definition) -> None:
        self.findings.append(
            RECURSIVE.finding(
                f"the sub-graph {quoted(definition.name)} holds itself, or is one of more than"
                f" {MAX_NESTING} within one another",
                fix=RECURSIVE.remedy,
                node_id=scope.node_id(node),
                node_type=node.type,
            )
        )


def definitions(document: Mapping[str, Any], catalog: Catalog) -> dict[str, Definition]:
    """Every sub-graph definition of a workflow by id, those nested in others too."""
    found: dict[str, Definition] = {}
    pending: list[object] = [document]
    while pending:
        subgraphs = as_mapping(as_mapping(pending.pop()).get("definitions")).get("subgraphs")
        for entry in subgraphs if isinstance(subgraphs, list) else ():
            name = as_mapping(entry).get("id")
            if isinstance(name, str) and name not in found:
                found[name] = Definition(entry, catalog)
                pending.append(entry)
    return found


def number_apart(root: Graph, definitions: Iterable[Definition]) -> int:
    """Give inner nodes that share an id with a node met before a new one, as the frontend does.

    Args:
        root: the workflow's own graph.
        definitions: its sub-graph definitions.

    Returns:
        The highest node id given out now.
    """
    taken = set(root.nodes)
    last = root.last
    for definition in definitions:
        for node in definition.nodes.values():
            if node.id in taken:
                node.number = last + 1
            taken.add(node.number)
            if isinstance(node.number, int):
                last = max(last, node.number)
    return last


def too_many_nodes() -> Finding:
    """What is said of a workflow with more than :data:`MAX_NODES` nodes."""
    return TOO_MUCH_UNFOLDED.finding(
        f"the workflow has more than {MAX_NODES:,} nodes, sub-graphs unfolded",
        fix=TOO_MUCH_UNFOLDED.remedy,
    )
