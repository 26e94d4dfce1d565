"""A link to an output counted from the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import Stage, on_link
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, LinkCase

LINK_SLOT_NEGATIVE = declare(
    "link_slot_negative",
    Severity.WARNING,
    title="Link to a negative output",
    explanation="The link names output -1 or the like. The server accepts it, since Python counts "
    "such numbers from the end, but the browser never writes it, and running it may fail.",
    remedy="Connect the input again.",
)


@on_link(Stage.ADVICE)
def check(case: LinkCase) -> Answer:
    """Report a negative slot."""
    if case.slot >= 0:
        return None
    return case.finding(
        LINK_SLOT_NEGATIVE,
        f"input {quoted(case.spec.name)} is linked to output {case.slot} of node "
        f"{quoted(case.given[0])}; outputs count from 0",
        "connect the input again",
    )
