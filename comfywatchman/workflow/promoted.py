"""Promoted widgets: what an instance of a sub-graph sets inside it.

A host shows widgets of the nodes inside it as its own, and saves their values as its own
``widgets_values``, in the order of ``properties.proxyWidgets`` if it has them (entries
``[inner node, widget]``; node "-1" is the host's own input), else of the definition's inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.workflow.graph import Definition, as_id
from comfywatchman.workflow.widgets import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfywatchman.comfyui.catalog import Catalog
    from comfywatchman.workflow.graph import Node
    from comfywatchman.workflow.scope import Scope


class Promotion:
    """Works out promoted widgets.

    Args:
        definitions: the workflow's sub-graph definitions by id.
        catalog: tells which inputs of a known node are widgets.
    """

    def __init__(self, definitions: Mapping[str, Definition], catalog: Catalog) -> None:
        self._definitions = definitions
        self._catalog = catalog
        self._backed: dict[tuple[str, int], bool] = {}

    def apply(self, scope: Scope) -> None:
        """Set a scope's ``promoted`` and ``overrides`` from its host."""
        host, definition = scope.host, scope.graph
        if host is None or not isinstance(definition, Definition):
            return
        values = host.widgets_values
        if not isinstance(values, list) or not values:
            return
        proxies = host.properties.get("proxyWidgets")
        if isinstance(proxies, list) and proxies:
            for entry, value in zip(proxies, values, strict=False):
                self._apply_proxy(scope, definition, entry, value)
        else:
            scope.promoted.update(zip(self._widget_slots(definition), values, strict=False))

    def _apply_proxy(self, scope: Scope, definition: Definition, entry: Any, value: Any) -> None:
        if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[1], str):
            return
        source, name = as_id(entry[0]), entry[1]
        for slot, socket in enumerate(definition.inputs):
            if source == -1:
                if socket.get("name") == name:
                    scope.promoted[slot] = value
                    return
            elif any(
                n.id == source and i == name for n, i in definition.input_targets.get(slot, ())
            ):
                scope.promoted[slot] = value
                return
        if source is not None and source != -1:
            scope.overrides[source, name] = value

    def _widget_slots(self, definition: Definition) -> list[int]:
        return [slot for slot in range(len(definition.inputs)) if self.is_widget(definition, slot)]

    def is_widget(self, definition: Definition, slot: int) -> bool:
        """Whether an input of a sub-graph ends in a widget inside it."""
        key = (str(definition.id), slot)
        if key not in self._backed:
            self._backed[key] = False  # while it is being found out: definitions may form a loop
            self._backed[key] = any(
                self._node_has_widget(node, name)
                for node, name in definition.input_targets.get(slot, ())
            )
        return self._backed[key]

    def _node_has_widget(self, node: Node, name: str) -> bool:
        definition = self._definitions.get(node.type)
        if definition is not None:
            return any(
                socket.get("name") == name and self.is_widget(definition, slot)
                for slot, socket in enumerate(definition.inputs)
            )
        known = self._catalog.get(node.type)
        if known is not None:
            return name in layout(known).names
        index = node.input_index(name)
        return index is not None and "widget" in node.inputs[index]
