"""A node that calls a paid service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import on_node_with
from comfywatchman.checks.engine.traits import Trait
from comfywatchman.findings import declare, quoted
from comfywatchman.results import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import Answer, NodeCase

API_NODE = declare(
    "api_node",
    Severity.WARNING,
    title="Node that needs an account",
    explanation="The node sends its work to a service on the internet, through Comfy.org, and "
    "costs credits. The server accepts it without an account; it then fails when it is run. "
    "Reported once for each such node type in a workflow.",
    remedy="Sign in to Comfy.org in the browser, or, when queueing from a program, send an API key "
    "(`extra_data.api_key_comfy_org`). The host must reach api.comfy.org.",
    once=True,
)


@on_node_with(Trait.API)
def check(case: NodeCase) -> Iterator[Answer]:
    """Report the first node of each type that calls out."""
    if case.whole.first(API_NODE, case.type.name):
        yield case.finding(
            API_NODE,
            f"node type {quoted(case.type.name)} runs on a service of Comfy.org: it needs an "
            "account, credits and the internet",
            "sign in in the browser; a program that queues it must send an API key",
        )
