"""A value that cannot be converted to what the input takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.checks.known.no_name import FILL_IN, placeholder
from comfywatchman.findings import about_value, declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

INVALID_INPUT_TYPE = declare(
    "invalid_input_type",
    Severity.ERROR,
    title="Value that is not a number",
    explanation="The server converts values to the declared type; this one cannot be converted. "
    "When values of a node seem to have moved to the wrong inputs, the workflow was saved for "
    "another version of the node, whose inputs were in another order.",
    remedy="Set the input again. If several inputs of the node hold odd values, replace the node "
    "by a fresh one.",
    misplaced=True,
)

_KINDS = {"INT": "a whole number", "FLOAT": "a number"}


@on_value(Stage.READING)
def check(case: InputCase) -> Answer:
    """Report a value the server cannot read."""
    if not case.unreadable:
        return None
    if (sentence := placeholder(case.given)) is not None:
        return case.finding(INVALID_INPUT_TYPE, sentence, FILL_IN)
    kind = _KINDS.get(case.spec.type, quoted(case.spec.type))
    return case.finding(
        INVALID_INPUT_TYPE,
        f"input {quoted(case.spec.name)} takes {kind}, not {quoted(case.given)}",
        f"set it to {kind}{_range(case)}; if other inputs of the node look shifted too, replace "
        "the node by a fresh one",
        subject=about_value(case.given),
    )


def _range(case: InputCase) -> str:
    least, most = case.spec.options.get("min"), case.spec.options.get("max")
    if isinstance(least, (int, float)) and isinstance(most, (int, float)):
        return f" from {quoted(least)} to {quoted(most)}"
    return ""
