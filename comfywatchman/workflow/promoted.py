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

from comfywatchman.workflow.graph import Definition, as_id
from comfywatchman.workflow.scope import MAX_NESTING
from comfywatchman.workflow.widgets import layout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from comfywatchman.workflow.graph import Id, Node
    from comfywatchman.workflow.scope import Scope

_OWN_INPUT: Final = "-1"


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
        as_meant: take what the file marks as a widget of such a node for one, so that the other
            values are those that were saved for their inputs.
    """

    def __init__(self, definitions: Mapping[str, Definition], *, as_meant: bool = False) -> None:
        self.misleads = False
        self._as_meant = as_meant
        self._definitions = definitions
        self._widgets: set[tuple[Definition, int]] = set()
        self._find_widgets()

    def apply(self, scope: Scope) -> None:
        """Set a scope's ``promoted`` and ``overrides`` from its host and the scope around it.

        The scopes around it must have theirs already.
        """
        host, parent, definition = scope.host, scope.parent, scope.graph
        if host is None or parent is None or not isinstance(definition, Definition):
            return
        values = self._saved_values(host, definition)
        for widget, value in parent.overrides.get(host.id, {}).items():
            _override(values, host, definition, widget, value)
        scope.promoted, scope.overrides = values
        for slot in definition.input_targets:
            if slot not in scope.promoted and (definition, slot) in self._widgets:
                self._promote_inner_value(scope.promoted, definition, slot)

    @staticmethod
    def by_name(scope: Scope) -> dict[str, Any]:
        """What a scope's host gives its inputs, by their names."""
        names = scope.graph.input_names if isinstance(scope.graph, Definition) else []
        return {names[s]: value for s, value in scope.promoted.items() if 0 <= s < len(names)}

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
        saved = _HostValues({}, {})
        values = host.widgets_values
        if isinstance(values, list) and values:
            slots = [
                s for s in range(len(definition.input_names)) if (definition, s) in self._widgets
            ]
            saved.promoted.update(zip(slots, values, strict=False))
            for (source, widget), value in zip(_proxies(host), values, strict=False):
                _set(saved, definition, source, widget, value)
        return saved

    def _promote_inner_value(
        self, promoted: dict[int, Any], definition: Definition, slot: int
    ) -> None:
        """Promote the value that the first widget an input leads to has inside."""
        at, inner_slot = definition, slot
        for _ in range(MAX_NESTING):
            widget = self._widget(at, inner_slot)
            if widget is None:
                return
            node, name = widget
            inner = self._definitions.get(node.type)
            if inner is None:
                if node.known is not None:
                    widgets = layout(node.known)
                    promoted[slot] = widgets.value_to_hand_on(node.widgets_values, name)
                return
            found = inner.input_slot(name)
            saved = self._saved_values(node, inner).promoted
            if found is None:
                return
            if found in saved:
                promoted[slot] = saved[found]
                return
            at, inner_slot = inner, found


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


def _override(
    values: _HostValues, host: Node, definition: Definition, widget: str, value: Any
) -> None:
    """Set a widget that a host shows as its own: an input of it, or one of its proxies."""
    if definition.input_slot(widget) is not None:
        _set(values, definition, _OWN_INPUT, widget, value)
        return
    for source, name in _proxies(host):
        if name == widget:
            _set(values, definition, source, name, value)
            return


def _proxies(host: Node) -> Iterator[tuple[str, str]]:
    entries = host.properties.get("proxyWidgets")
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case [str(source), str(widget), *_]:
                yield source, widget
            case _:
                yield "", ""
