"""Text where a number belongs, that happens to read as one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import Advice, about_value, declare, quoted
from comfywatchman.results import Confidence, FixKind, Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

TEXT_AS_NUMBER = declare(
    "text_as_number",
    Severity.WARNING,
    title="Text that is read as a number",
    explanation="The input takes a number and holds text. The server reads the text as a number "
    "(even `nan`, which no range check catches). It is often a sign that the values of the node "
    "have moved to the wrong inputs.",
    remedy="Set the number again, and look at the node's other inputs.",
    misplaced=True,
)


@on_value(Stage.ADVICE, "INT", "FLOAT")
def check(case: InputCase) -> Answer:
    """Report text, or what is no number at all, for an INT or a FLOAT."""
    undefined = isinstance(case.value, float) and math.isnan(case.value)
    if not isinstance(case.given, str) and not undefined:
        return None
    name = quoted(case.spec.name)
    return case.finding(
        TEXT_AS_NUMBER,
        f"input {name} takes a number; the server makes {quoted(case.value)} of "
        f"{quoted(case.given)}",
        Advice(f"set {name} again, and look at the node's other inputs")
        if undefined
        else Advice(
            f"set {name} to {quoted(case.value)}, and look at the node's other inputs",
            FixKind.SET_VALUE,
            Confidence.LIKELY,
            before=case.given,
            after=case.value,
        ),
        subject=about_value(case.given),
    )
