"""What somebody has accepted as it is: reports and metrics count it apart, and nothing alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfywatchman.results import WorkflowReport


def reason(workflow: WorkflowReport) -> str | None:  # noqa: ARG001
    """Why somebody has accepted that a workflow is as bad as it is.

    Returns:
        What they wrote; None where nobody has, as nobody can yet.
    """
    return None


def is_accepted(workflow: WorkflowReport) -> bool:
    """Whether somebody has."""
    return reason(workflow) is not None
