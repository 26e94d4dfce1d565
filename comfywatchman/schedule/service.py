"""Whether the service failed in a way that no cycle could leave word of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfywatchman import state
from comfywatchman.schedule import ending, timer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROPERTIES = ("LoadState", "ActiveState", "Result", "ExecMainStatus", "InvocationID")


def is_recorded(last_run: Mapping[str, Any], start: str, exit_code: int | None) -> bool:
    """Whether the last word of a cycle may be of this start of the service.

    Args:
        last_run: the content of ``last-run.json``.
        start: systemd's id of the start; empty where it is not known.
        exit_code: of the service; None where it did not exit by itself.
    """
    if exit_code is not None and exit_code >= ending.NOT_BEGUN:
        return False
    recorded = last_run.get("invocation")
    return not (recorded and start) or recorded == start


def unrecorded(
    instance: str, folder: Path, last_run: Mapping[str, Any] | None
) -> dict[str, str] | None:
    """Why the service failed before a cycle began: ``why``, ``remedy``; None if it did not.

    Args:
        instance: name of the instance.
        folder: its state folder.
        last_run: the content of ``last-run.json``, if there is one.
    """
    unit = f"{state.named(instance)}.service"
    _, said = timer.show_loaded(unit, PROPERTIES, folder, 2.0)
    result, status = said.get("Result", ""), said.get("ExecMainStatus", "")
    code = ending.exit_code(result, status)
    if said.get("ActiveState") != "failed" or is_recorded(
        last_run or {}, said.get("InvocationID", ""), code
    ):
        return None
    why, remedy = ending.explain_unrecorded(result, status)
    return {"why": why, "remedy": remedy}
