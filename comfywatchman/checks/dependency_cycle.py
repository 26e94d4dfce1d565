"""Nodes that need one another's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from comfywatchman.checks.versions import Rule
from comfywatchman.findings import about, declare, quoted
from comfywatchman.results import Finding, Severity, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.checks.engine.case import PromptCase

DEPENDENCY_CYCLE = declare(
    "dependency_cycle",
    Severity.ERROR,
    title="Nodes in a circle",
    explanation="Following links backwards from a node leads back to the node. The server loses "
    "every output that needs it. Since 0.20 it says so of each node of the circle, and so does "
    "ComfyWatchman; older servers often report nothing, and there one finding names the circle.",
    remedy="Delete one of the links of the circle.",
)

_MOST_NAMED: Final = 10


def findings(
    whole: PromptCase, needs: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Finding]]:
    """Report each circle, on all of its nodes or once, as the server does.

    In whatever order the nodes are saved, the same nodes are named in the same order.

    Args:
        whole: the prompt.
        needs: for each node that is part of a circle or needs one, those of them it needs.
    """
    seen: set[str] = set()
    for start in sorted(needs):
        path: dict[str, None] = {}
        node_id = start
        while node_id not in seen:
            seen.add(node_id)
            path[node_id] = None
            node_id = needs[node_id][0]
        if node_id in path:
            names = list(path)
            loop = names[names.index(node_id) :]
            # The same one every time, whatever the order of nodes and links.
            first = loop.index(min(loop))
            loop = loop[first:] + loop[:first]
            each = Rule.CYCLES_REPORTED in whole.book.rules
            for i in range(len(loop) if each else 1):
                yield loop[i], _finding(whole, loop, i)


def _finding(whole: PromptCase, loop: list[str], begin: int) -> Finding:
    named = [loop[(begin + i) % len(loop)] for i in range(min(len(loop), _MOST_NAMED))]
    shown = [quoted(n) for n in named]
    if len(loop) > _MOST_NAMED:
        shown.append(f"{len(loop) - _MOST_NAMED} more")
    return DEPENDENCY_CYCLE.finding(
        f"the node needs its own result: {' needs '.join([*shown, quoted(named[0])])}",
        fix="delete one of these links",
        subject=about(SubjectKind.WORKFLOW, ", ".join(sorted(loop))),
        node_id=named[0],
        node_type=str(whole.prompt[named[0]]["class_type"]),
    )
