"""What judging against one catalog needs, made once for all its workflows."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import TYPE_CHECKING

from comfywatchman.checks.engine.choices import Choices
from comfywatchman.checks.engine.declared import is_dynamic
from comfywatchman.checks.engine.traits import traits
from comfywatchman.checks.known.own_rules import OwnRules, own_rules
from comfywatchman.checks.versions import Rule, rules_of, version_of

if TYPE_CHECKING:
    from comfywatchman.checks.versions import Version
    from comfywatchman.comfyui.catalog import Catalog, InputSpec, NodeType
    from comfywatchman.workflow.prompt import Prompt


class NodePlan:
    """One node type, ready to be asked about many times."""

    def __init__(self, node_type: NodeType, version: Version | None) -> None:
        self.type = node_type
        self.version = version
        self.is_core = node_type.is_core
        self.is_output = node_type.is_output
        self.own_rules: OwnRules | None = own_rules(node_type, version)
        self.declared: tuple[InputSpec, ...] = tuple(node_type.inputs.values())
        self.dynamic = is_dynamic(self.declared)
        outputs = node_type.declaration.get("output")
        # Types declared as one text: Python, and so the server, takes its letters one by one.
        self.outputs: list[object] = list(outputs) if isinstance(outputs, (list, str)) else []
        self.traits = traits(node_type, self.own_rules, dynamic=self.dynamic)
        self._choices: dict[int, Choices] = {}
        self._static = frozenset(map(id, self.declared))

    def choices(self, spec: InputSpec) -> Choices | None:
        """The choices of a combo, None for what is none or has a list that cannot be seen."""
        if spec.choices is None:
            return None
        known = self._choices.get(id(spec))
        if known is None:
            known = Choices(spec.choices)
            if id(spec) in self._static:
                self._choices[id(spec)] = known
        return known


class Rulebook:
    """The version's rules and the node types of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.version = version_of(catalog)
        self.rules: frozenset[Rule] = rules_of(self.version)
        self._catalog = weakref.ref(catalog)

    def plan(self, node_type: NodeType) -> NodePlan:
        """The plan of one of the catalog's node types."""
        plan = node_type.plan
        if plan is None or plan.version != self.version:
            plan = node_type.plan = NodePlan(node_type, self.version)
        assert isinstance(plan, NodePlan)  # noqa: S101
        return plan

    def plans(self, prompt: Prompt, catalog: Catalog) -> dict[str, NodePlan]:
        """The plans of the nodes of a prompt that are of a type the catalog has, by their ids."""
        plans: dict[str, NodePlan] = {}
        for node_id, node in prompt.items():
            class_type = node.get("class_type") if isinstance(node, dict) else None
            node_type = catalog.find(class_type) if isinstance(class_type, str) else None
            if node_type is not None:
                plans[node_id] = self.plan(node_type)
        return plans

    def spelled_alike(self, name: str) -> str | None:
        """The node type that differs from a name in case only."""
        catalog = self._catalog()
        return None if catalog is None else catalog.spelled_alike(name)

    @cached_property
    def delivered_types(self) -> frozenset[str]:
        """Types that some output of the catalog delivers, so that inputs of them take links."""
        catalog = self._catalog()
        return frozenset() if catalog is None else frozenset(catalog.delivered)

    @cached_property
    def core_types(self) -> frozenset[str]:
        """Types of links that ComfyUI's own nodes declare."""
        catalog = self._catalog()
        types: set[str] = set()
        for node_type in catalog.values() if catalog is not None else ():
            if node_type.is_core:
                types.update(node_type.outputs)
                types.update(spec.type for spec in node_type.inputs.values())
        return frozenset(types)


def rulebook(catalog: Catalog) -> Rulebook:
    """The rulebook of a catalog, made once."""
    book = catalog.rulebook
    if book is None:
        book = catalog.rulebook = Rulebook(catalog)
    assert isinstance(book, Rulebook)  # noqa: S101
    return book
