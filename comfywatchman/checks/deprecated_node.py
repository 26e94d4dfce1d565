"""A node type that its authors want no more used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

DEPRECATED_NODE = declare(
    "deprecated_node",
    Severity.INFO,
    title="Deprecated node type",
    explanation="The server marks the node type as deprecated: it still works, and may be gone "
    "after an update. Reported once for each such node type in a workflow.",
    remedy="Replace the node by its successor before an update removes it.",
    once=True,
)


@on_node_with(Trait.DEPRECATED)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report the first node of each deprecated type."""
    if case.whole.first(DEPRECATED_NODE, case.type.name):
        yield case.finding(
            DEPRECATED_NODE,
            f"node type {quoted(case.type.name)} is deprecated and may go with an update",
            "replace the node by its successor",
        )
