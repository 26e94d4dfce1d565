"""A link of a type that an input matched by the browser does not allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.declared import MATCH_TYPE, allowed_types, kinds
from comfywatchman.checks.engine.registry import Stage, on_link
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, LinkCase

MATCH_TYPE_NOT_ALLOWED = declare(
    "match_type_not_allowed",
    Severity.WARNING,
    title="Link of a type that the input does not allow",
    explanation="The input takes several types, and only the browser checks which. The server "
    "accepts any, and the node fails when it is run.",
    remedy="Connect an output of one of the types that are named.",
)


@on_link(Stage.ADVICE)
def check(case: LinkCase) -> Answer:
    """Report a link into a matched input whose type is not among the allowed ones."""
    if case.spec.type != MATCH_TYPE or not isinstance(case.received, str):
        return None
    allowed = allowed_types(case.spec)
    taken = kinds(allowed)
    given = kinds(case.received)
    if "*" in taken or not given.isdisjoint({*taken, "*", MATCH_TYPE}):
        return None
    return case.finding(
        MATCH_TYPE_NOT_ALLOWED,
        f"input {quoted(case.spec.name)} takes {quoted(allowed)}, but is connected to output "
        f"{case.slot} of node {quoted(case.given[0])}, which is {quoted(case.received)}",
        f"connect an output of type {quoted(allowed)}",
    )
