"""Whether the server works on a workflow, so that its file is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman.workflow.budget import Budget
from comfywatchman.workflow.convert import convert
from comfywatchman.workflow.load import load
from comfywatchman.workflow.prompt import WorkflowError

if TYPE_CHECKING:
    from comfywatchman.history.world import World


def is_at_work(queue: object, raw: bytes, world: World) -> str | None:
    """Why a workflow is, or may be, one of those that are run or wait; None if it is not.

    Args:
        queue: what the server answered to ``/queue``.
        raw: the bytes of the workflow's file.
        world: what makes a prompt of it.

    Returns:
        The end of a sentence about the workflow.
    """
    prompts = _prompts(queue)
    if prompts is None:
        return "may be one that the server works on: its queue cannot be read"
    if not prompts:
        return None
    try:
        document = load(raw, max_depth=world.depth)
        nodes = _types(convert(document, world.catalog, Budget(len(raw))).prompt)
    except WorkflowError:
        return "may be one that the server works on: what it holds cannot be read"
    for prompt in prompts:
        if not isinstance(prompt, list) or len(prompt) < 4:
            return "may be one that the server works on: its queue cannot be read"
        theirs, ours = _workflow_id(prompt[3]), document.get("id")
        if theirs is not None and isinstance(ours, str) and ours:
            same = theirs == ours
        else:
            same = isinstance(prompt[2], dict) and _types(prompt[2]) == nodes
        if same:
            return "is in the server's queue: wait until it is done"
    return None


def _prompts(queue: object) -> list[Any] | None:
    if not isinstance(queue, dict):
        return None
    lists = [queue.get("queue_running"), queue.get("queue_pending")]
    if not all(isinstance(each, list) for each in lists):
        return None
    return [prompt for each in lists if each is not None for prompt in each]


def _types(prompt: dict[str, Any]) -> dict[str, Any]:
    """What a prompt is known by: its nodes, and their types."""
    return {
        str(name): node.get("class_type") for name, node in prompt.items() if isinstance(node, dict)
    }


def _workflow_id(extra: object) -> str | None:
    """The id of the workflow that the frontend sends with a prompt."""
    for key in ("extra_pnginfo", "workflow", "id"):
        extra = extra.get(key) if isinstance(extra, dict) else None
    return extra if isinstance(extra, str) and extra else None
