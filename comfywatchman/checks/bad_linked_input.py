"""A list in the place of a link that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.findings import declare, quoted
from comfywatchman.results import Finding, Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import InputCase

BAD_LINKED_INPUT = declare(
    "bad_linked_input",
    Severity.ERROR,
    title="Malformed link",
    explanation="The value of an input is a list, which the server takes for a link, but a link "
    "has exactly two entries: a node and one of its outputs.",
    remedy="Connect or set the input again. A list that is meant as a value must be wrapped: "
    '`{"__value__": [...]}`.',
)


def finding(case: InputCase) -> Finding:
    """Report a link that does not have two entries."""
    return case.finding(
        BAD_LINKED_INPUT,
        f"input {quoted(case.spec.name)} holds {quoted(case.given)} instead of a link",
        "connect or set the input again",
    )
