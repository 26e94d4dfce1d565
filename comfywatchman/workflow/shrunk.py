"""Saved files that lost most of what was in them: a bad save, a full disk, a mistake."""

from __future__ import annotations

import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from comfywatchman.findings import declare
from comfywatchman.results import Severity
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from datetime import datetime

    from comfywatchman.results import Finding

LASTS: Final = timedelta(days=30)
"""How long it is said that a file has shrunk, if it does not grow again."""
FEWEST: Final = 4
"""Nodes that a workflow must have had: of fewer, half is soon lost on purpose."""

WORKFLOW_SHRUNK: Final = declare(
    "workflow_shrunk",
    Severity.WARNING,
    title="File that lost more than half of its nodes",
    explanation="The file had a workflow of more than twice as many nodes, or one at all, when it"
    " was seen before. So it is when a save went wrong, or when something else was saved under its"
    " name. It is said until the file grows again, and for 30 days at most.",
    remedy="If it was not meant, write the version before into a new file with"
    " `comfywatchman history --restore-copy WORKFLOW --to FILE` and look at it in ComfyUI.",
)


class Mark(NamedTuple):
    """What is remembered of a file that has shrunk.

    Attributes:
        since: start of the cycle that saw it shrunk, UTC.
        nodes: how many nodes it had before.
        digest: SHA-256 of what it held then, in hexadecimal.
    """

    since: datetime
    nodes: int
    digest: str


def nodes(raw: bytes) -> int:
    """How many nodes a saved workflow has, sub-graphs included; none for what is no workflow."""
    try:
        document = load(raw)
    except WorkflowError:
        return 0
    if "nodes" not in document:
        return len(document)  # a prompt: one entry a node
    definitions = document.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    graphs = [document, *(subgraphs if isinstance(subgraphs, list) else [])]
    return sum(map(_count, graphs))


def has_shrunk(before: int, now: int) -> bool:
    """Whether a workflow that had so many nodes lost more than half of them."""
    return before >= FEWEST and 2 * now < before


def finding(mark: Mark, now: int, path: str) -> Finding:
    """What is said of it.

    Args:
        mark: how it was; a copy of that is kept.
        now: how many nodes it has.
        path: of the file, as reports name it.
    """
    left = f"{now:,} of {mark.nodes:,} nodes are left" if now else f"none of {mark.nodes:,} nodes"
    return WORKFLOW_SHRUNK.finding(
        f"the file has lost most of its workflow: {left}{'' if now else ' is left'}",
        fix="If it was not meant, write the version before into a new file with: comfywatchman "
        f"history --restore-copy {shlex.quote(path)} --to FILE",
    )


def _count(graph: Any) -> int:
    found = graph.get("nodes") if isinstance(graph, dict) else None
    return len(found) if isinstance(found, list) else 0
