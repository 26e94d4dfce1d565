"""An input that stands for others in a way this version of ComfyWatchman does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.case import BlindSpot
from comfywatchman.checks.engine.declared import AUTOGROW, DYNAMIC_COMBO, dynamic
from comfywatchman.checks.engine.registry import on_node
from comfywatchman.findings import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase


@on_node
def check(case: NodeCase) -> Iterator[Answer]:
    """Say that such an input, and what it stands for, is not checked."""
    for spec in dynamic(case.type.inputs.values(), case.inputs):
        if spec.type not in (AUTOGROW, DYNAMIC_COMBO):
            yield BlindSpot(
                f"input {quoted(spec.name)} of node {quoted(case.id)} "
                f"({printable(case.type.name)}), of a kind that is not known: {quoted(spec.type)}"
            )
