"""A node on which the server's own validation breaks down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.findings import about, declare, quoted
from comfywatchman.results import Finding, Severity, SubjectKind

if TYPE_CHECKING:
    from comfywatchman.checks.engine.case import Crash, PromptCase

_REMEDY = "Mend what is named, most often a link to a node or an output that is gone."

EXCEPTION_DURING_VALIDATION = declare(
    "exception_during_validation",
    Severity.ERROR,
    title="Output that breaks the server's validation",
    explanation="An exception ends the server's validation of an output node: it does not say what "
    "is wrong, ComfyWatchman does.",
    remedy=_REMEDY,
)
EXCEPTION_DURING_INNER_VALIDATION = declare(
    "exception_during_inner_validation",
    Severity.ERROR,
    title="Node that breaks the server's validation",
    explanation="An exception ends the server's validation of a node that others need. As on the "
    "server, the finding names the broken node, but the *input* of the node that needs it.",
    remedy=_REMEDY,
    same_fault_as="exception_during_validation",
)


def finding(
    whole: PromptCase, node_id: str, crash: Crash, wanted_by: tuple[str, str] | None
) -> Finding:
    """Report a crash as the server does.

    Args:
        whole: the prompt.
        node_id: the node whose validation breaks down.
        crash: why.
        wanted_by: node and input that need it; None if it is an output that no other node needs.
    """
    node_type = str(whole.prompt[node_id]["class_type"])
    if wanted_by is None:
        return EXCEPTION_DURING_VALIDATION.finding(
            crash.reason,
            fix=crash.fix,
            subject=crash.subject,
            node_id=node_id,
            node_type=node_type,
        )
    user, name = wanted_by
    return EXCEPTION_DURING_INNER_VALIDATION.finding(
        f"{crash.reason} (the server reports it for input {quoted(name)} of node {quoted(user)})",
        fix=crash.fix,
        subject=crash.subject or about(SubjectKind.NODE_TYPE, node_type),
        node_id=node_id,
        node_type=node_type,
        input=name,
    )
