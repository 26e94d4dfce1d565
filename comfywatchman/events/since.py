"""What changed over several cycles, as if there had been none in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfywatchman.history.comparison import kind_of_change
from comfywatchman.results import ChangeKind, Changes, WorkflowChange
from comfywatchman.workflow.postponed import is_postponed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from comfywatchman.history.records import Event
    from comfywatchman.results import Report, WorkflowReport


def net(before: Report, now: Report, events: Sequence[Event]) -> Changes:
    """What changed from one report to another.

    Args:
        before: the earlier one.
        now: the later one.
        events: what the cycles in between found changed, the newest first.
    """
    between = [*([now.changes] if now.changes else []), *(event.changes for event in events)]
    causes = {cause.id: cause for changes in between for cause in changes.causes}
    because: dict[str, list[str]] = {}
    for changes in between:
        for change in changes.workflows:
            if change.causes:
                because.setdefault(change.path, change.causes)
    was = {workflow.path: workflow for workflow in before.workflows}
    found = [
        WorkflowChange(
            path=workflow.path,
            name=workflow.name,
            kind=kind,
            before=earlier.verdict if (earlier := was.get(workflow.path)) else None,
            after=workflow.verdict,
            causes=because.get(workflow.path, []) if kind is ChangeKind.WORSE else [],
            will_fail=workflow.will_fail,
        )
        for workflow, kind in _changed(now.workflows, was)
    ]
    used = {each for change in found for each in change.causes}
    return Changes(
        since=before.started_at,
        workflows=found,
        causes=[cause for cause in causes.values() if cause.id in used],
    )


def _changed(
    workflows: Sequence[WorkflowReport], was: Mapping[str, WorkflowReport]
) -> Iterator[tuple[WorkflowReport, ChangeKind]]:
    known = {workflow.path for workflow in workflows}
    gone = {each.content_digest for path, each in was.items() if path not in known}
    for workflow in workflows:
        earlier = was.get(workflow.path)
        if is_postponed(workflow.findings):
            continue
        if earlier is not None:
            kind = kind_of_change(workflow, earlier)
        else:  # or moved as it was
            kind = None if workflow.content_digest in gone else ChangeKind.NEW
        if kind is not None:
            yield workflow, kind
