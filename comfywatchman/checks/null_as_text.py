"""Nothing where text belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.findings import about_value, declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

NULL_AS_TEXT = declare(
    "null_as_text",
    Severity.WARNING,
    title="Nothing, read as the word None",
    explanation="A text input holds null. The server turns it into the text `None`, which then is "
    "the prompt, the file name, or whatever the input stands for.",
    remedy="Set the text, or empty it.",
    misplaced=True,
)


@on_value(Stage.ADVICE, "STRING")
def check(case: InputCase) -> Answer:
    """Report null for a STRING."""
    if case.given is not None:
        return None
    name = quoted(case.spec.name)
    return case.finding(
        NULL_AS_TEXT,
        f"input {name} holds null, of which the server makes the text 'None'",
        f"set {name} to the text that is meant, or to an empty one",
        subject=about_value(case.given),
    )
