# SPDX-License-Identifier: MIT
"""This run of Ansible, as hosts note it down, and whether one that they name has ended."""

from __future__ import annotations

import getpass
import os
import socket

from ansible import constants, context


def describe(host):
    """This run: the same for each of its tasks and hosts, and another for each run.

    ``run`` is its id, made of the temporary folder that Ansible makes for each; ``by``,
    ``playbook`` and ``host`` (as the inventory calls it) are for people; ``controller`` tells its
    process.
    """
    machine = socket.gethostname()
    process = os.getppid()  # a task runs in a child of the process that is the run
    return {
        "run": f"{machine}:{process}:{os.path.basename(constants.DEFAULT_LOCAL_TMP)}",
        "by": f"{_user()}@{machine}",
        "playbook": ", ".join(map(str, context.CLIARGS.get("args") or ())) or "no playbook",
        "host": host,
        "controller": {**_here(), "process": process, "started": _started(process)},
    }


def has_ended(controller):
    """Whether the process of a run is known to be gone; it was on this very machine then."""
    here = _here()
    if not here["boot"] or any(controller.get(key) != value for key, value in here.items()):
        return False
    process = controller.get("process")
    if not isinstance(process, int) or isinstance(process, bool) or not controller.get("started"):
        return False
    started = _started(process)
    return started != controller["started"] if started else not _exists(process)


def _user():
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return str(os.getuid())


def _here():
    """What tells this machine, since it was started, and this view of its processes."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return {"boot": file.read().strip(), "processes": os.readlink("/proc/self/ns/pid")}
    except OSError:  # no Linux
        return {"boot": "", "processes": ""}


def _started(process):
    """When a process was started, in clock ticks since the boot; empty where nothing is seen."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _exists(process):
    """Whether there is a process, also where /proc hides those of others (hidepid)."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
