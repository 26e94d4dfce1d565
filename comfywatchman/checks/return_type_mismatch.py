"""A link between an output and an input of different types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.checks.engine.declared import DYNAMIC_SLOT, MATCH_TYPE, kinds
from comfywatchman.checks.engine.registry import Stage, on_link
from comfywatchman.comfyui.catalog import COMBO
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Answer, LinkCase
    from comfywatchman.comfyui.catalog import InputSpec

RETURN_TYPE_MISMATCH = declare(
    "return_type_mismatch",
    Severity.ERROR,
    title="Link between different types",
    explanation="An output is connected to an input that does not take its type. Most often an "
    "update changed the node's outputs since the workflow was saved. The server compares names: "
    "even an INT does not fit a FLOAT.\n\n"
    "Custom nodes can switch this check off (`VALIDATE_INPUTS` with `input_types`) or declare "
    "types that call themselves equal to any other. Where that is possible, this is a warning and "
    "the verdict is `unknown`: at inputs of custom nodes, and for types that no node of ComfyUI "
    "declares.",
    remedy="Connect the input to an output of its type, or replace the node by a fresh one.",
)

_WILDCARD = "*"


@on_link(Stage.LINK_TYPE)
def check(case: LinkCase) -> Answer:
    """Report a link whose type the server does not accept."""
    own = case.node.own_rules
    if (own is not None and own.link_types) or accepts(case.spec, case.received):
        return None
    name, given = quoted(case.spec.name), _described(case.received)
    wanted = "a list of choices" if case.spec.listed else quoted(case.spec.type)
    message = (
        f"input {name} takes {wanted}, but is connected to output {case.slot} of node "
        f"{quoted(case.given[0])}, which is {given}"
    )
    fix = f"connect {name} to an output of type {wanted}, or replace the node by a fresh one"
    if case.spec.type == DYNAMIC_SLOT:
        because = "which types an input of this kind takes is not known"
        return case.doubt(RETURN_TYPE_MISMATCH, message, fix, because=because)
    if own is None:
        because = "a custom node may judge the types of its links itself"
        return case.doubt(RETURN_TYPE_MISMATCH, message, fix, because=because)
    own_type = (
        isinstance(case.received, str) and case.received not in case.node.whole.book.core_types
    )
    if own_type and not case.source.is_core:
        because = f"{given} is a type of a custom node, and may pass for others"
        return case.doubt(RETURN_TYPE_MISMATCH, message, fix, because=because)
    return case.finding(RETURN_TYPE_MISMATCH, message, fix)


def accepts(spec: InputSpec, received: object) -> bool:
    """Whether an input takes what an output delivers: wildcards, equal, or types in common.

    Lists of choices are types of their own: the same list, or a ``COMBO`` input, takes one.
    """
    if received in (_WILDCARD, MATCH_TYPE) or spec.type in (_WILDCARD, MATCH_TYPE):
        return True
    if isinstance(received, list):
        return received == list(spec.choices or ()) if spec.listed else spec.type == COMBO
    if not isinstance(received, str) or spec.listed:
        return False
    if received == spec.type:
        return True
    delivered, taken = kinds(received), kinds(spec.type)
    return _WILDCARD in delivered or _WILDCARD in taken or not delivered.isdisjoint(taken)


def _described(received: Any) -> str:
    return "a list of choices" if isinstance(received, list) else quoted(received)
