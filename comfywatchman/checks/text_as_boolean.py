"""Text where yes or no belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import Advice, about_value, declare, quoted
from comfywatchman.results import Confidence, FixKind, Severity

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


_MEANT: Final = {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
}


@on_value(Stage.ADVICE, "BOOLEAN")
def check(case: InputCase) -> Answer:
    """Report text for a BOOLEAN."""
    if not isinstance(case.given, str):
        return None
    name = quoted(case.spec.name)
    return case.finding(
        TEXT_AS_BOOLEAN,
        f"input {name} takes true or false; the server takes {quoted(case.given)} for "
        f"{quoted(case.value)}",
        _fix(name, case.given),
        subject=about_value(case.given),
    )


def _fix(name: str, given: str) -> str | Advice:
    meant = _MEANT.get(given.strip().casefold())
    if meant is None:
        return f"set {name} to true or false"
    return Advice(
        f"set {name} to {quoted(meant)}",
        FixKind.SET_VALUE,
        Confidence.LIKELY,
        before=given,
        after=meant,
    )
