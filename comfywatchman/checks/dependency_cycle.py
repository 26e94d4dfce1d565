"""Nodes that need one another's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.findings import about, declare, quoted
from comfywatchman.results import Finding, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.checks.engine.case import PromptCase

DEPENDENCY_CYCLE = declare(
    "dependency_cycle",
    Severity.ERROR,
    title="Nodes in a circle",
    explanation="Following links backwards from a node leads back to the node. Servers older than "
    "0.12 lose every output that needs it, often without reporting anything.",
    remedy="Delete one of the links of the circle.",
)

_MOST_NAMED: Final = 10


def findings(
    whole: PromptCase, needs: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Finding]]:
    """Report each circle once, with the node it is reported on.

    Args:
        whole: the prompt.
        needs: for each node that is part of a circle or needs one, those of them it needs.
    """
    seen: set[str] = set()
    for start in needs:
        path: dict[str, None] = {}
        node_id = start
        while node_id not in seen:
            seen.add(node_id)
            path[node_id] = None
            node_id = needs[node_id][0]
        if node_id in path:
            names = list(path)
            loop = names[names.index(node_id) :]
            yield node_id, _finding(whole, loop)


def _finding(whole: PromptCase, loop: list[str]) -> Finding:
    shown = [quoted(n) for n in loop[:_MOST_NAMED]]
    if len(loop) > _MOST_NAMED:
        shown.append(f"{len(loop) - _MOST_NAMED} more")
    return DEPENDENCY_CYCLE.finding(
        f"the node needs its own result: {' needs '.join([*shown, quoted(loop[0])])}",
        fix="delete one of these links",
        subject=about(SubjectKind.WORKFLOW, ", ".join(sorted(loop))),
        node_id=loop[0],
        node_type=str(whole.prompt[loop[0]]["class_type"]),
    )
