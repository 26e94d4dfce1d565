"""Whether the service failed in a way that no cycle could leave word of."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from comfywatchman import state
from comfywatchman.schedule import ending, timer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROPERTIES = ("LoadState", "ActiveState", "Result", "ExecMainStatus", "InvocationID")


def invocation() -> str:
    """The id that systemd gave the start of the service that this is; empty if it is none.

    What a service starts has the variable as well, a terminal for one: it is no start of ours.
    """
    started = os.environ.get("SYSTEMD_EXEC_PID", str(os.getpid())) == str(os.getpid())
    return os.environ.get("INVOCATION_ID", "") if started else ""


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
    if sys.platform == "win32":
        return None
    unit = f"{state.named(instance)}.service"
    for shown in timer.ask(unit, PROPERTIES, timer.account_of(folder), 2.0).values():
        said = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if said.get("LoadState") != "loaded":
            continue
        result, status = said.get("Result", ""), said.get("ExecMainStatus", "")
        code = ending.exit_code(result, status)
        if said.get("ActiveState") != "failed" or is_recorded(
            last_run or {}, said.get("InvocationID", ""), code
        ):
            return None
        why, remedy = ending.explain_unrecorded(result, status)
        return {"why": why, "remedy": remedy}
    return None
