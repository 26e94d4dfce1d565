#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: what an installation looks like now, and what became of its last check."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status
short_description: Read the state of an installation of ComfyWatchman
description:
  - Changes nothing, and does not fail because something is missing. What was noted down when it
    was installed tells where it is.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  reports: {description: Whether to return the reports too., type: bool, default: false}
  user: {description: The user who runs ComfyUI., type: str, required: true}
  scope: {description: Whose service manager., type: str, choices: [user, system], required: true}
  root: {description: Where releases go if nothing was noted down., type: str, default: ""}
  state_dir: {description: Where reports go if nothing was noted down., type: str, default: ""}
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ""}
  schedule:
    description: >-
      interval and slack in seconds, for a host without systemd.
    type: dict
    default: {}
  verify:
    description: >-
      Whether to have systemd verify the units, and to compare every file of the active release
      with what its package says.
    type: bool
    default: false
  lease:
    description: >-
      Whether to take the lease of what is installed, and to fail if another run holds it.
    type: str
    choices: [ignore, take]
    default: ignore
  run: {description: 'Who asks; the action fills it in.', type: dict, default: {}}
  wait: {description: Seconds to wait for another run., type: int, default: 0}
  instead_of:
    description: >-
      Id of a run that is known to have ended; the action fills it in.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Read the state of an installation
  comfywatchman.ops.status:
    user: comfy
    scope: user
  become: true
  register: installation

- name: Show when the next check is due
  ansible.builtin.debug:
    var: installation.timer.next
"""

RETURN = r"""
reports:
  description: >-
    report and inventory, the last ones; each null or a dict of zlib (base64) or problem
  type: dict
  returned: when asked for
installed: {description: whether there is an active release, type: bool, returned: always}
manager: {description: whether the service manager can be reached, type: bool, returned: always}
lingering:
  description: >-
    whether the user's manager runs without a login
  type: bool
  returned: always
release: {description: id of the active release; null if there is none, type: str, returned: always}
previous: {description: id of the release before; null if none, type: str, returned: always}
units: {description: 'names of the units: service, timer', type: dict, returned: always}
scheduler: {description: what starts the checks, type: str, returned: always}
schedule: {description: 'as given; null with systemd', type: dict, returned: always}
timer:
  description: >-
    loaded, enabled, active, sub, persistent, interval and slack (seconds), next and last (seconds
    since 1970, or null)
  type: dict
  returned: always
missed:
  description: >-
    what the user's manager began before, where that may be why it does not know the timer
  type: str
  returned: always
service:
  description: >-
    active, result, status, invocation; why it failed and the remedy; whether its last start may be
    the one that last_run is about (recorded)
  type: dict
  returned: always
last_run:
  description: >-
    the content of last-run.json; null if it is not there
  type: dict
  returned: always
files:
  description: >-
    mode, owner and size of the files that matter, by path
  type: dict
  returned: always
paths: {description: 'root, config, state, units, bin, share', type: dict, returned: always}
instance: {description: name of the instance on this host, type: str, returned: always}
owners:
  description: >-
    names of the other hosts that folders of this installation belong to, by folder
  type: dict
  returned: always
exposed:
  description: >-
    files that others may read or write though they are private
  type: list
  returned: always
as_user:
  description: >-
    the start of a command line that runs the rest of it as the user
  type: list
  elements: str
  returned: always
unseen:
  description: >-
    where nobody may look, one sentence each: what is there is not known
  type: list
  elements: str
  returned: always
runtime_dir: {description: XDG_RUNTIME_DIR of the user's manager, type: str, returned: always}
complaint: {description: what systemd has against the units, type: str, returned: always}
overridden:
  description: >-
    what a drop-in has the service start in place of the check, and what to do; empty if nothing, or
    unless C(verify) is set
  type: str
  returned: always
damaged:
  description: >-
    what is wrong with the active release, parts of sentences; empty unless C(verify) is set
  type: list
  elements: str
  returned: always
damage_shows:
  description: >-
    whether the next deploy sees that by itself, or has to compare hashes
  type: bool
  returned: always
lease: {description: 'path and run, if it was taken', type: dict, returned: always}
held_by:
  description: >-
    who changes the instance now; null if nobody does
  type: dict
  returned: always
now: {description: the host's clock in seconds since 1970, type: float, returned: always}
"""

import base64
import json
import os
import re
import stat
import time
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils import mounts
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    as_account,
    is_lingering,
    name_of_uid,
    owner_of,
    starting_as,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.ending import (
    NOT_BEGUN,
    exit_code,
    explain,
    explain_unrecorded,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    mode_of,
    refusal,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    CREDENTIALS,
    SETTINGS,
    account_of,
    linked_release,
    read_last_run,
    read_record,
    record_name,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import (
    HeldError,
    Lease,
    path_of,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import (
    instance_here,
    other_hosts,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.releases import examine
from ansible_collections.comfywatchman.ops.plugins.module_utils.state_files import (
    INVENTORY,
    LAST_RUN,
    LATEST,
    REPORT_HTML,
    REPORT_MARKDOWN,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import (
    CommandError,
    Systemd,
    Units,
    systemd_runs,
)

COLLECTED = {"report": LATEST, "inventory": INVENTORY}
COLLECTED_BYTES = 32 * 1024**2
REPORTS = [LAST_RUN, LATEST, REPORT_MARKDOWN, REPORT_HTML]
INTERVAL = re.compile(r"OnUnitActiveUSec=(.*?) ;")
NUMBER_AND_UNIT = re.compile(r"([0-9.]+)([a-zμ]+)")
UNITS_OF_TIME = {
    "us": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "month": 2_629_800,
    "y": 31_557_600,
}


def timer_state(systemd, timer):
    """What systemd says of the timer."""
    shown = systemd.show(
        timer,
        "LoadState",
        "UnitFileState",
        "ActiveState",
        "SubState",
        "Persistent",
        "TimersMonotonic",
        "RandomizedDelayUSec",
        "AccuracyUSec",
    )
    listed = json.loads(systemd.systemctl("list-timers", "--all", "--output=json", timer) or "[]")
    moments = listed[0] if listed else {}
    return {
        "loaded": shown["LoadState"] == "loaded",
        "enabled": shown["UnitFileState"] == "enabled",
        "active": shown["ActiveState"],
        "sub": shown["SubState"],
        "persistent": shown["Persistent"] == "yes",
        "interval": max(map(timespan, INTERVAL.findall(shown["TimersMonotonic"])), default=0),
        "slack": timespan(shown["RandomizedDelayUSec"]) + timespan(shown["AccuracyUSec"]),
        "next": seconds(moments.get("next")),
        "last": seconds(moments.get("last")),
    }


def timespan(text):
    """Seconds of a time span as systemd writes it, such as ``1h 30min``."""
    return sum(
        float(number) * UNITS_OF_TIME[unit] for number, unit in NUMBER_AND_UNIT.findall(text)
    )


def seconds(microseconds):
    """Seconds since 1970; ``None`` for never (0, or the largest number there is)."""
    if not microseconds or microseconds >= 2**63:
        return None
    return microseconds / 1e6


def service_state(systemd, service, last_run):
    """What systemd says of the service, and whether its last start is the one on record."""
    shown = systemd.show(service, "ActiveState", "Result", "ExecMainStatus", "InvocationID")
    recorded = (last_run or {}).get("invocation")
    failed = shown["Result"] not in ("", "success", "exec-condition")
    code = exit_code(shown["Result"], shown["ExecMainStatus"])
    ours = bool(last_run) and recorded in (None, "", shown["InvocationID"])
    ours = ours and not (code is not None and code >= NOT_BEGUN)
    explained = explain if ours else explain_unrecorded
    why, remedy = explained(shown["Result"], shown["ExecMainStatus"]) if failed else ("", "")
    return {
        "recorded": ours,
        "why": why,
        "remedy": remedy,
        "active": shown["ActiveState"],
        "result": shown["Result"],
        "status": int(shown["ExecMainStatus"] or 0),
        "invocation": shown["InvocationID"],
    }


def overridden(systemd, scope, service, release):
    """What a drop-in of somebody else's has the service start in place of the release; or nothing.

    Drop-ins are welcome beside the role's own; one that replaces the program is no check any more.
    """
    shown = systemd.show(service, "ExecStart", "DropInPaths")
    found = re.match(r"\{ path=(.*?) ; argv\[\]=(.*?) ;", shown["ExecStart"])
    wanted = os.path.join(release, "venv/bin/python")
    if not found or (found[1] == wanted and "-m comfywatchman.cli --run-check" in found[2]):
        return ""
    said = f"{service} starts {found[2]} and not this release's check"
    drop_ins = shown["DropInPaths"].split()
    others = [path for path in drop_ins if not path.endswith("/50-site.conf")]
    if others:
        reload = f"systemctl --{scope} daemon-reload"
        return f"{said}: remove ExecStart= from {', '.join(others)}, then run '{reload}'"
    if drop_ins:
        said += ": remove ExecStart from comfywatchman_unit_overrides, and deploy"
    return said


def describe(path):
    """Mode, owner and size of a file; ``None`` if it is not there."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return {
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": name_of_uid(found.st_uid),
        "size": found.st_size,
    }


def packed(path, owners):
    """A report for the controller; only a file that its owner could have written, never a link."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
                return {"problem": path + " is no file of the user who runs the checks"}
            content = file.read(COLLECTED_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return {"problem": f"{path} cannot be read: {error.strerror}"}
    if len(content) > COLLECTED_BYTES:
        return {"problem": f"{path} has more than {COLLECTED_BYTES // 1024**2} MiB"}
    return {"zlib": base64.b64encode(zlib.compress(content)).decode()}


def look(given, scope, paths, units, owner, user):
    """What is in the folders of the installation: the program's as its owner, reports as the user.

    ``owner`` and ``user`` are accounts, or ``None`` for whoever this process is.
    """
    program = [
        *(os.path.join(paths["units"], unit) for unit in (units.service, units.timer)),
        os.path.join(paths["config"], SETTINGS),
    ]
    reports = [os.path.join(paths["state"], name) for name in REPORTS]
    secrets = [os.path.join(paths["config"], name) for name in CREDENTIALS]
    if scope == "user":
        secrets += program
    authors = [account.pw_uid for account in (user,) if account] + [0] * (scope == "system")

    def as_the_owner():
        return {
            "release": linked_release(paths["root"], "current"),
            "previous": linked_release(paths["root"], "previous"),
            **looked_at(program, secrets, [paths["root"], paths["config"], paths["units"]]),
        }

    def as_the_user():
        wanted = COLLECTED if given["reports"] else {}
        return {
            "last_run": read_last_run(paths["state"]),
            "reports": {
                key: packed(os.path.join(paths["state"], name), authors)
                for key, name in wanted.items()
            },
            **looked_at(reports, reports, [paths["state"]]),
        }

    found, of_reports = as_account(owner, as_the_owner), as_account(user, as_the_user)
    return {
        **found,
        **of_reports,
        "files": {**found["files"], **of_reports["files"]},
        "exposed": found["exposed"] + of_reports["exposed"],
        "unseen": [*dict.fromkeys(found["unseen"] + of_reports["unseen"])],
    }


def mode_or_nothing(path):
    """A file's permission bits; ``None`` if there is none, or it may not be looked at."""
    try:
        return mode_of(path)
    except OSError:
        return None


def refusal_in(folder):
    """Why nothing can be said of what is in a folder; ``None`` if it can, or there is none."""
    return refusal(os.path.join(folder, "."))


def looked_at(files, private, folders):
    """Descriptions of files, those of the private ones that are not, and what may not be seen."""
    who = name_of_uid(os.geteuid())
    return {
        "files": {path: describe(path) for path in files},
        "exposed": [path for path in private if (mode_or_nothing(path) or 0) & 0o077],
        "unseen": [
            f"{who} may not look there ({reason}), so what is there is not known"
            for reason in dict.fromkeys(filter(None, map(refusal_in, folders)))
        ],
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "reports": {"type": "bool", "default": False},
            "user": {"type": "str", "required": True},
            "scope": {"type": "str", "choices": ["user", "system"], "required": True},
            "root": {"type": "str", "default": ""},
            "state_dir": {"type": "str", "default": ""},
            "instance": {"type": "str", "default": ""},
            "schedule": {"type": "dict", "default": {}},
            "verify": {"type": "bool", "default": False},
            "lease": {"type": "str", "choices": ["ignore", "take"], "default": "ignore"},
            "run": {"type": "dict", "default": {}},
            "wait": {"type": "int", "default": 0},
            "instead_of": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    record = read_record(record_name(given["instance"])) or {}
    user, scope = record.get("user", given["user"]), record.get("scope", given["scope"])
    account = account_of(user)
    home = account.pw_dir if account else "/nonexistent"
    if record:
        instance, paths = record.get("instance", given["instance"]), record["paths"]
        others = other_hosts(paths, account)
    else:
        instance, paths, others = instance_here(
            given["instance"], None, scope, account, home, given["root"], given["state_dir"]
        )
    units = Units(instance)
    # In whose eyes folders are looked at: in their owner's. That of reports is always the user's.
    user_or_what_is_left = owner_of(user, record.get("home", home), paths.values())
    owner = user_or_what_is_left if scope == "user" else None
    try:
        seen = look(given, scope, paths, units, owner, user_or_what_is_left)
    except AccountError as error:
        module.fail_json(msg=str(error))

    systemd = Systemd(scope, account) if account else None
    manager = systemd is not None and systemd.running
    timer = service = None
    late = mounts.late([paths["units"]], account.pw_uid) if scope == "user" and account else []
    for one in late:
        if not one.awaited:
            module.warn("; ".join(mounts.warning(one, account.pw_uid)))
    complaint = foreign = ""
    if manager:
        try:
            timer = timer_state(systemd, units.timer)
            service = service_state(systemd, units.service, seen["last_run"])
            if given["verify"] and seen["release"] is not None:
                release = os.path.join(paths["root"], "releases", seen["release"])
                foreign = overridden(systemd, scope, units.service, release)
            if given["verify"]:
                complaint = systemd.verify(
                    [os.path.join(paths["units"], unit) for unit in (units.service, units.timer)]
                )
        except (CommandError, ValueError) as error:
            complaint = str(error)
    # Who is not root, and so noted down nothing, let the probe choose by what there is.
    usual = "systemd" if systemd_runs() else "apscheduler"
    scheduler = record.get("scheduler", usual)
    damaged, damage_shows = [], True
    if given["verify"] and seen["release"] is not None:
        active = os.path.join(paths["root"], "releases", seen["release"])
        try:
            damaged, damage_shows = as_account(owner, lambda: examine(active))
        except OSError as error:
            damaged = [f"{error.filename or paths['root']} cannot be read: {error.strerror}"]
        except AccountError as error:
            damaged = [f"{active} could not be looked at: {error}"]
    lease = Lease(path_of(given["instance"], paths["root"]))
    told = {}
    if given["lease"] == "take" and seen["release"] is not None and not module.check_mode:
        try:
            lease.take(given["run"], owner, given["wait"], given["instead_of"] or None)
        except HeldError as error:
            module.fail_json(msg=str(error), held_by=error.holder)
        except OSError as error:
            module.fail_json(msg=f"This host cannot be held: {lease.path}: {error.strerror}.")
        told = {"path": lease.path, "run": given["run"]["run"]}
    reports = seen.pop("reports")
    module.exit_json(
        changed=False,
        **({"reports": reports} if given["reports"] else {}),
        **seen,
        now=time.time(),
        user=user,
        scope=scope,
        instance=instance,
        paths=paths,
        owners={paths[name]: host.shown for name, host in others.items()},
        installed=seen["release"] is not None,
        damaged=damaged,
        damage_shows=damage_shows,
        lease=told,
        held_by=None if told else lease.holder(),
        scheduler=scheduler,
        schedule=given["schedule"] if scheduler == "apscheduler" else None,
        units={"service": units.service, "timer": units.timer},
        lingering=is_lingering(user),
        manager=manager,
        timer=timer,
        missed="; what to do: ".join(
            next((mounts.cause(one, units.timer) for one in late if one.missed), [])
        ),
        service=service,
        complaint=complaint,
        overridden=foreign,
        as_user=starting_as(account),
        runtime_dir=f"/run/user/{account.pw_uid}" if account and scope == "user" else "",
    )


if __name__ == "__main__":
    main()
