"""Fewer items than an input that grows needs, on a server that does not mind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.declared import AUTOGROW, item_names
from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.checks.versions import Rule
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

AUTOGROW_BELOW_MINIMUM = declare(
    "autogrow_below_minimum",
    Severity.WARNING,
    title="Too few connections",
    explanation="The node takes a growing number of connections and needs more than it has. "
    "Servers older than 0.10 accept this, and the node may fail when it is run; newer ones refuse "
    "it as `required_input_missing`.",
    remedy="Connect as many as the node needs.",
)


@on_node_with(Trait.DYNAMIC)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report growing inputs with fewer items than declared, where the server accepts that."""
    if Rule.AUTOGROW_MINIMUM in case.whole.book.rules:
        return
    for spec in case.dynamic:
        if spec.type != AUTOGROW or not spec.required:
            continue
        names, least = item_names(spec)
        given = sum(f"{spec.name}.{name}" in case.inputs for name in names)
        if given < least:
            yield case.finding(
                AUTOGROW_BELOW_MINIMUM,
                f"input {quoted(spec.name)} needs at least {least} connections and has {given}",
                f"connect {least - given} more",
                input_name=spec.name,
            )
