"""A value where only a link makes sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.checks.engine.declared import allowed_types, kinds
from comfywatchman.checks.engine.registry import Stage, on_value
from comfywatchman.comfyui.catalog import COMBO
from comfywatchman.findings import about_value, declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, InputCase

LITERAL_INSTEAD_OF_LINK = declare(
    "literal_instead_of_link",
    Severity.WARNING,
    title="Value where a link belongs",
    explanation="The input takes what another node delivers (a model, an image, …) but holds a "
    "plain value or null. The server accepts this and the node fails when it is run.",
    remedy="Connect the input.",
)

_SET_BY_HAND: Final = frozenset({COMBO, "*", "INT", "FLOAT", "STRING", "BOOLEAN", "COLOR", "CURVE"})


@on_value(Stage.ADVICE)
def check(case: InputCase) -> Answer:
    """Report a value for a type that only outputs deliver."""
    if case.spec.type in _SET_BY_HAND or (case.given is None and not case.spec.required):
        return None
    allowed = allowed_types(case.spec)
    taken = kinds(allowed)
    if not taken.isdisjoint(_SET_BY_HAND) or taken.isdisjoint(case.node.whole.book.delivered_types):
        return None
    name, kind = quoted(case.spec.name), quoted(allowed)
    return case.finding(
        LITERAL_INSTEAD_OF_LINK,
        f"input {name} holds {quoted(case.given)} where a link to a {kind} belongs",
        f"connect an output of type {kind} to {name}",
        subject=about_value(case.given),
    )
