"""Text where yes or no belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import about_value, declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

TEXT_AS_BOOLEAN = declare(
    "text_as_boolean",
    Severity.WARNING,
    title="Text that is read as yes",
    explanation="The input takes true or false and holds text. The server takes every text for "
    'true, `"false"` and `"0"` too; only the empty text is false.',
    remedy="Set the switch again.",
    misplaced=True,
)


@on_value(Stage.ADVICE)
def check(case: InputCase) -> Answer:
    """Report text for a BOOLEAN."""
    if case.spec.type != "BOOLEAN" or not isinstance(case.given, str):
        return None
    name = quoted(case.spec.name)
    return case.finding(
        TEXT_AS_BOOLEAN,
        f"input {name} takes true or false; the server takes {quoted(case.given)} for "
        f"{quoted(case.value)}",
        f"set {name} to true or false",
        subject=about_value(case.given),
    )
