"""A choice that opens up further inputs, and does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.declared import DYNAMIC_COMBO, options, selected
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

DYNAMIC_CHOICE_UNKNOWN = declare(
    "dynamic_choice_unknown",
    Severity.WARNING,
    title="Choice that the node does not know",
    explanation="The choice decides which further inputs the node has, but the node knows no such "
    "choice. The server then checks neither the choice nor those inputs, accepts the workflow, and "
    "the node fails when it is run.",
    remedy="Choose one of those that are named.",
)


@on_node_with(Trait.DYNAMIC)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report dynamic combos without a valid choice."""
    for spec in case.dynamic:
        if spec.type != DYNAMIC_COMBO:
            continue
        given = case.inputs.get(spec.name)
        if spec.name not in case.inputs and not spec.required:
            continue
        if selected(spec, given) is None:
            name = quoted(spec.name)
            known = ", ".join(quoted(option.get("key")) for option in options(spec)[:20])
            wrong = f"holds {quoted(given)}, which is no choice of it"
            yield case.finding(
                DYNAMIC_CHOICE_UNKNOWN,
                f"input {name} {wrong if spec.name in case.inputs else 'is not set'}",
                f"set {name} to one of {known}" if known else None,
                input_name=spec.name,
            )
