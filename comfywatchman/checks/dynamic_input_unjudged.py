"""An input that stands for others in a way this version of ComfyWatchman does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.case import Doubt
from comfywatchman.checks.engine.declared import AUTOGROW, DYNAMIC_COMBO, DYNAMIC_SLOT
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.findings import declare, printable, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

DYNAMIC_INPUT_UNJUDGED = declare(
    "dynamic_input_unjudged",
    Severity.WARNING,
    title="Kind of input that is not known",
    explanation="The input stands for others, in a way that came with a newer ComfyUI than this "
    "version of ComfyWatchman knows. Whether what it stands for is given, and right, cannot be "
    "said; the verdict is `unknown`.",
    remedy="Update ComfyWatchman.",
)


@on_node_with(Trait.DYNAMIC)
def check(case: NodeCase) -> Iterator[Answer]:
    """Say that such an input, and what it stands for, cannot be judged."""
    for spec in case.dynamic:
        if spec.type not in (AUTOGROW, DYNAMIC_COMBO, DYNAMIC_SLOT):
            name, kind = quoted(spec.name), quoted(spec.type)
            yield Doubt(
                case.finding(
                    DYNAMIC_INPUT_UNJUDGED,
                    f"input {name} is of a kind that is not known: {kind}",
                    "update ComfyWatchman",
                    input_name=spec.name,
                ),
                f"input {name} of node {quoted(case.id)} ({printable(case.type.name)}), of a kind "
                f"that is not known: {kind}",
            )
