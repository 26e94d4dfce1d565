"""A fraction for a whole number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import Advice, about_value, declare, quoted
from comfywatchman.results import FixKind, Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

NUMBER_TRUNCATED = declare(
    "number_truncated",
    Severity.WARNING,
    title="Fraction that is cut off",
    explanation="The input takes whole numbers; the server cuts off what follows the point, so "
    "that 16.9 becomes 16.",
    remedy="Set the whole number that is meant.",
)


@on_value(Stage.ADVICE, "INT")
def check(case: InputCase) -> Answer:
    """Report a float for an INT that is not a whole number."""
    if type(case.given) is not float or case.given == case.value:
        return None
    name = quoted(case.spec.name)
    return case.finding(
        NUMBER_TRUNCATED,
        f"input {name} takes a whole number; the server makes {case.value} of {case.given}",
        Advice(
            f"set {name} to {case.value} or {case.value + (1 if case.given > 0 else -1)}",
            FixKind.SET_VALUE,
            before=case.given,
            after=case.value,
        ),
        subject=about_value(case.given),
    )
