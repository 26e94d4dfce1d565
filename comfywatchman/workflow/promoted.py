"""Promoted widgets: what an instance of a sub-graph sets inside it.

A host (an instance) shows widgets of the nodes inside it as its own. Each is an input of the
sub-graph, whose value reaches everything that the input feeds. The host saves the values twice
over: in the order of the sub-graph's inputs, and, by older frontends, in the order of its property
``proxyWidgets``, whose entries ``[node, widget]`` name a widget inside, or with node "-1" an input
of the host. Where both speak of one widget, ``proxyWidgets`` wins; it alone can speak of widgets
that no input leads to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.workflow.budget import TOO_MANY_PROMOTED
from comfywatchman.workflow.graph import Definition, as_id
from comfywatchman.workflow.scope import MAX_NESTING
from comfywatchman.workflow.widgets import layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.workflow.budget import Budget
    from comfywatchman.workflow.graph import Id, Node
    from comfywatchman.workflow.scope import Scope

_NONE: Final = object()
"""In place of a value."""

_OWN_INPUT: Final = "-1"

_COPIED: Final = 4
"""Steps for one more copy of a value that a host sets."""


class _HostValues(NamedTuple):
    """What one host sets: by input slot; and, where no input leads, by inner node and widget."""

    promoted: dict[int, Any]
    overrides: dict[Id, dict[str, Any]]


class Promotion:
    """Works out promoted widgets.

    The frontend knows no widgets of a node whose type the server does not offer, and so gives the
    values that a host saves after theirs to the wrong inputs.

    Attributes:
        misleads: whether there are such nodes.

    Args:
        definitions: the workflow's sub-graph definitions by id.
        budget: what working them out is taken from.
        as_meant: take what the file marks as a widget of such a node for one, so that the other
            values are those that were saved for their inputs.
    """

    def __init__(
        self, definitions: Mapping[str, Definition], budget: Budget, *, as_meant: bool = False
    ) -> None:
        self.misleads = False
        self._as_meant = as_meant
        self._definitions = definitions
        self._budget = budget
        self._slots: dict[Definition, Sequence[int]] = {}
        self._saved: dict[Node, _HostValues] = {}
        self._inner: dict[Definition, Mapping[int, Any]] = {}
        self._widgets: set[tuple[Definition, int]] = set()
        self._find_widgets()

    def apply(self, scope: Scope) -> None:
        """Set a scope's ``promoted``, ``inner`` and ``overrides`` from its host and what is around.

        The scopes around it must have theirs already.

        Raises:
            WorkflowError: they are more than the budget allows.
        """
        host, parent, definition = scope.host, scope.parent, scope.graph
        if host is None or parent is None or not isinstance(definition, Definition):
            return
        values = self._saved_values(host, definition)
        overriding = parent.overrides.get(host.id)
        if overriding:
            values = self._overridden(values, host, definition, overriding)
        scope.promoted, scope.overrides = values
        scope.inner = self._inner_values(definition)

    def by_name(self, scope: Scope) -> dict[str, Any]:
        """What reaches a scope's inputs without a link, by their names."""
        names = scope.graph.input_names if isinstance(scope.graph, Definition) else []
        self._budget.spend(len(scope.inner), TOO_MANY_PROMOTED)
        return {names[s]: v for s, v in effective(scope).items() if 0 <= s < len(names)}

    def _find_widgets(self) -> None:
        """Find the inputs of sub-graphs that end in a widget, however deep inside."""
        leading_to: dict[tuple[str, str], list[tuple[Definition, int]]] = {}
        for definition in self._definitions.values():
            for slot, targets in definition.input_targets.items():
                for node, name in targets:
                    if node.type in self._definitions:
                        leading_to.setdefault((node.type, name), []).append((definition, slot))
                    elif self._is_leaf(node, name):
                        self._widgets.add((definition, slot))
        pending = list(self._widgets)
        while pending:
            inner, slot = pending.pop()
            if not 0 <= slot < len(inner.input_names):
                continue
            for outer in leading_to.get((inner.id, inner.input_names[slot]), ()):
                if outer not in self._widgets:
                    self._widgets.add(outer)
                    pending.append(outer)

    def _is_leaf(self, node: Node, name: str) -> bool:
        """Whether an input of a node that is no instance has a widget."""
        if node.known is not None:
            return layout(node.known).is_widget(name, node.widgets_values)
        index = node.input_index(name)
        is_marked = index is not None and "widget" in node.inputs[index]
        self.misleads = self.misleads or is_marked
        return is_marked and self._as_meant

    def _widget(self, definition: Definition, slot: int) -> tuple[Node, str] | None:
        """The first widget an input leads to: the node and input it is on, one level inside."""
        for node, name in definition.input_targets.get(slot, ()):
            inner = self._definitions.get(node.type)
            if inner is None:
                if self._is_leaf(node, name):
                    return node, name
            elif (inner, inner.input_slot(name)) in self._widgets:
                return node, name
        return None

    def _saved_values(self, host: Node, definition: Definition) -> _HostValues:
        """What a host sets; the same in every instance of the graph that it is in."""
        saved = self._saved.get(host)
        if saved is not None:
            return saved
        saved = self._saved[host] = _HostValues({}, {})
        values = host.widgets_values
        if isinstance(values, list) and values:
            saved.promoted.update(zip(self._widget_slots(definition), values, strict=False))
            for (source, widget), value in zip(_proxies(host), values, strict=False):
                _set(saved, definition, source, widget, value)
        return saved

    def _widget_slots(self, definition: Definition) -> Sequence[int]:
        """The inputs of a sub-graph that end in a widget."""
        slots = self._slots.get(definition)
        if slots is None:
            count = len(definition.input_names)
            slots = self._slots[definition] = [
                slot for slot in range(count) if (definition, slot) in self._widgets
            ]
        return slots

    def _overridden(
        self,
        saved: _HostValues,
        host: Node,
        definition: Definition,
        overriding: Mapping[str, Any],
    ) -> _HostValues:
        """What a host sets, with what the graph around it sets of that."""
        values = _HostValues(
            dict(saved.promoted), {at: dict(widgets) for at, widgets in saved.overrides.items()}
        )
        sources: dict[str, str] = {}
        for source, widget in _proxies(host):
            sources.setdefault(widget, source)
        copied = len(values.promoted) + sum(map(len, values.overrides.values()))
        self._budget.spend(_COPIED * copied + len(sources) + len(overriding), TOO_MANY_PROMOTED)
        for widget, value in overriding.items():
            if definition.input_slot(widget) is not None:
                _set(values, definition, _OWN_INPUT, widget, value)
            elif widget in sources:
                _set(values, definition, sources[widget], widget, value)
        return values

    def _inner_values(self, definition: Definition) -> Mapping[int, Any]:
        """By input of a sub-graph, the value that the first widget it leads to has inside."""
        inner = self._inner.get(definition)
        if inner is None:
            inner = self._inner[definition] = {
                slot: value
                for slot in definition.input_targets
                if (definition, slot) in self._widgets
                and (value := self._inner_value(definition, slot)) is not _NONE
            }
        return inner

    def _inner_value(self, definition: Definition, slot: int) -> Any:
        for depth in range(MAX_NESTING):
            self._budget.spend(bool(depth), TOO_MANY_PROMOTED)
            widget = self._widget(definition, slot)
            if widget is None:
                return _NONE
            node, name = widget
            inner = self._definitions.get(node.type)
            if inner is None:
                if node.known is None:
                    return _NONE
                return layout(node.known).value_to_hand_on(node.widgets_values, name)
            found = inner.input_slot(name)
            if found is None:
                return _NONE
            saved = self._saved_values(node, inner).promoted
            if found in saved:
                return saved[found]
            definition, slot = inner, found
        return _NONE


def effective(scope: Scope) -> dict[int, Any]:
    """By input of a scope's sub-graph, the value that reaches it without a link."""
    rest = {slot: value for slot, value in scope.inner.items() if slot not in scope.promoted}
    return scope.promoted | rest


def _set(values: _HostValues, definition: Definition, source: str, widget: str, value: Any) -> None:
    """Set a widget inside: through the input that leads to it if there is one."""
    if source == _OWN_INPUT:
        slot = definition.input_slot(widget)
    else:
        node_id = as_id(source) or source
        slot = definition.slot_leading_to(node_id, widget)
        if slot is None:
            values.overrides.setdefault(node_id, {})[widget] = value
    if slot is not None:
        values.promoted[slot] = value


def _proxies(host: Node) -> Iterator[tuple[str, str]]:
    entries = host.properties.get("proxyWidgets")
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [str(source), str(widget), *_]:
                yield source, widget
            case _:
                yield "", ""
