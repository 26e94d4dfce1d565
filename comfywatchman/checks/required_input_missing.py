"""A required input that is neither connected nor set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.declared import allowed_types
from comfywatchman.checks.engine.registry import on_missing
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

REQUIRED_INPUT_MISSING = declare(
    "required_input_missing",
    Severity.ERROR,
    title="Required input not given",
    explanation="An input that the node cannot do without is neither connected nor set. Often what "
    "it was connected to is muted or was deleted, or an update of the node added the input.",
    remedy="Connect the input. If the node was updated, replace it by a fresh one.",
)

_WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})


@on_missing
def check(case: InputCase) -> Answer:
    """Report it; a value is asked for in other words than a link."""
    name, allowed = quoted(case.spec.name), allowed_types(case.spec)
    if case.spec.type in _WIDGET_TYPES:
        return case.finding(
            REQUIRED_INPUT_MISSING,
            f"required input {name} is not set",
            "set it, or replace the node by a fresh one: it may be older than the input",
        )
    return case.finding(
        REQUIRED_INPUT_MISSING,
        f"required input {name} is not connected",
        "connect it" if allowed == "*" else f"connect an output of type {quoted(allowed)} to it",
    )
