"""A link to a missing node, on an input that the server does not look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import on_node
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

DANGLING_LINK = declare(
    "dangling_link",
    Severity.WARNING,
    title="Link into nowhere on an unknown input",
    explanation="An input that this version of the node does not have is linked to a node that is "
    "not there. The server ignores it; what it was meant to bring is missing.",
    remedy="Replace the node by a fresh one and connect it again.",
)


@on_node
def check(case: NodeCase) -> Iterator[Answer]:
    """Report links of undeclared inputs that lead to no node."""
    declared = {spec.name for spec in case.declared}
    for name, value in case.inputs.items():
        if name in declared or not isinstance(value, list) or len(value) != 2:
            continue
        if isinstance(value[0], str) and value[0] not in case.whole.prompt:
            yield case.finding(
                DANGLING_LINK,
                f"input {quoted(name)}, which the node does not have, is linked to node "
                f"{quoted(value[0])}, which is not there",
                "replace the node by a fresh one and connect it again",
                input_name=name,
            )
