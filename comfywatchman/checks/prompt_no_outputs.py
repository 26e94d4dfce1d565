"""A workflow that produces nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.checks.engine.registry import on_prompt
from comfywatchman.findings import declare
from comfywatchman.results import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from comfywatchman.checks.engine.case import PromptCase

PROMPT_NO_OUTPUTS = declare(
    "prompt_no_outputs",
    Severity.ERROR,
    title="Workflow without an output",
    explanation="No node of the workflow produces a result (saves or previews something), so the "
    "server refuses it. Muted and bypassed nodes do not count.",
    remedy="Add a node such as Save Image, or unmute the one that is there.",
)


@on_prompt
def check(case: PromptCase) -> Iterator[Finding]:
    """Report a prompt in which every node type is known and none is an output."""
    if case.outputs or len(case.plans) < len(case.prompt):
        return
    what = "no node that is switched on" if case.prompt else "the workflow is empty: no node"
    yield PROMPT_NO_OUTPUTS.finding(
        f"{what} saves or previews a result",
        fix="add an output such as Save Image, or unmute the one that is there",
    )
