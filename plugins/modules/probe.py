#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: what a host is like, and what stands in the way of an installation."""

from __future__ import annotations

DOCUMENTATION = r"""
module: probe
short_description: Find out what a host is like before ComfyWatchman is installed or removed
description:
  - Changes nothing, but for the lease that it may take. Everything that stands in the way comes
    back as one sentence each in C(problems).
  - Looks for features, never for the names of distributions.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  user: {description: The user who runs ComfyUI., type: str, required: true}
  scope:
    description: >-
      Whose service manager runs the timer.
    type: str
    choices: [user, system]
    required: true
  scheduler:
    description: >-
      What starts the checks; C(auto) is systemd where it runs.
    type: str
    choices: [auto, systemd, apscheduler]
    default: auto
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  root: {description: Where releases go; empty for the usual place., type: str, default: ''}
  state_dir: {description: Where reports go; empty for the usual place., type: str, default: ''}
  comfyui_dir: {description: ComfyUI's folder., type: str, default: ''}
  textfile_dir:
    description: >-
      Folder that node_exporter reads, if checks are to write metrics there.
    type: str
    default: ''
  python: {description: The Python to use; empty for the newest that fits., type: str, default: ''}
  sources: {description: Digests of all that a release is made of., type: dict, default: {}}
  version: {description: The version of the wheel., type: str, default: ''}
  calendars: {description: Calendar expressions by variable name., type: dict, default: {}}
  timespans: {description: Time spans by variable name., type: dict, default: {}}
  cycle_time_limit:
    description: >-
      Seconds that a check takes at most.
    type: float
    default: 0
  texts:
    description: >-
      Other text that goes into units and settings, by variable name.
    type: dict
    default: {}
  overrides: {description: 'Drop-ins: unit, section, directive.', type: dict, default: {}}
  sandbox:
    description: >-
      Groups of directives that confine the service, by name; C(directives) of each is a mapping.
    type: dict
    default: {}
  command_link:
    description: >-
      Whether the command shall be on the PATH.
    type: bool
    default: true
  preflight: {description: Whether to look for problems., type: bool, default: true}
  hashes:
    description: >-
      Whether to compare the files of a release by hash, and not by size alone.
    type: bool
    default: false
  lease:
    description: >-
      Whether to take the lease of the instance if nothing stands in the way; or to call it a
      problem, and without C(preflight) to fail, that another run holds it; or neither.
    type: str
    choices: [ignore, respect, take]
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
- name: Find out what stands in the way
  comfywatchman.ops.probe:
    user: comfy
    scope: user
    comfyui_dir: /opt/ComfyUI
  become: true
  register: host

- name: Show it
  ansible.builtin.debug:
    var: host.problems
"""

RETURN = r"""
scheduler: {description: 'systemd or apscheduler', type: str, returned: always}
instance:
  description: >-
    name of the instance on this host: the one asked for, or one of its own where another host has
    that in a home that both use
  type: str
  returned: always
paths: {description: 'root, config, state, units, bin, share', type: dict, returned: always}
python: {description: 'path, version, machine, glibc', type: dict, returned: always}
release:
  description: >-
    id, path, complete; and damaged, a list of what is wrong with the active one
  type: dict
  returned: always
lease:
  description: >-
    path and run, to renew and release it by; empty if it was not taken
  type: dict
  returned: always
held_by: {description: who holds it if another run does, type: dict, returned: always}
record:
  description: >-
    what the last installation noted down; null if there was none
  type: dict
  returned: always
wanted_record: {description: what this installation is to note down, type: dict, returned: always}
moved:
  description: >-
    whether the last installation has another user, scope or place
  type: bool
  returned: always
active: {description: id of the active release; null if there is none, type: str, returned: always}
as_owner:
  description: >-
    the start of a command line that runs the rest of it as the owner of what is installed
  type: list
  elements: str
  returned: always
privileged: {description: whether this is root, type: bool, returned: always}
lingering:
  description: >-
    whether the user's manager runs without a login
  type: bool
  returned: always
textfile_dir_waits: {description: whether it is to be made, type: bool, returned: always}
manager_waits:
  description: >-
    drop-in to be made, for the user's manager to wait for what its units lie on; empty if none is
  type: str
  returned: always
manager: {description: whether the service manager can be reached, type: bool, returned: always}
sandbox:
  description: >-
    names of the groups of C(sandbox) that work under this service manager; null if it cannot be
    reached
  type: list
  elements: str
  returned: always
ca_bundle:
  description: >-
    the host's own file of certificate authorities
  type: str
  returned: always
problems: {description: one sentence each, type: list, elements: str, returned: always}
"""

import functools
import glob
import hashlib
import json
import os
import re
import shutil
import sys

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils import (
    mounts,
    textfile,
    trials,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    as_account,
    as_user,
    is_lingering,
    starting_as,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.command import Command
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    account_of,
    linked_release,
    read_record,
    record_name,
    relocated,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import (
    HeldError,
    Lease,
    path_of,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import (
    instance_here,
    ownership_problems,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.releases import choose
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import (
    Systemd,
    run,
    systemd_runs,
)

SYSTEMD_OLDEST = 247  # FixedRandomDelay=, LoadCredential=
PYTHON_OLDEST = (3, 11)
PYTHONS = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
INSTALLED_BY = ("user", "scope", "scheduler")
INSTANCE = re.compile(r"([a-z0-9][a-z0-9_-]{0,31})?")
TIMEOUT = "comfywatchman_timeout_start_sec"
TIMEOUT_OVERRIDE = "TimeoutStartSec"
ENDLESS = 2**64 - 1  # as systemd writes "infinity" in microseconds
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# The files in which the families of distributions keep their certificate authorities.
CA_BUNDLES = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
]
ALL_READ_ONLY = """
import os, sys
raise SystemExit(not all(os.statvfs(path).f_flag & os.ST_RDONLY for path in sys.argv[1:]))
"""
DESCRIBE_PYTHON = """
import json, os, platform, sys
missing = []
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
try:
    glibc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
except (ValueError, OSError, AttributeError, IndexError):
    glibc = ""
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "missing": missing,
    "machine": platform.machine(),
    "glibc": glibc,
}))
"""


def missing_directories(paths, made_before):
    """Those of the paths and their parents that are not there, or were not, deepest first."""
    missing = set(made_before)
    for path in paths:
        above = path
        while above.strip("/") and not os.path.lexists(above):
            missing.add(above)
            above = os.path.dirname(above)
    return sorted(missing, key=lambda path: (-path.count("/"), path))


def needed_directories(scope, scheduler, home, paths):
    """The directories that an installation puts something into."""
    needed = [paths[name] for name in ("root", "config", "state")]
    if scheduler == "systemd":
        needed += [paths["units"], os.path.join(paths["units"], "timers.target.wants")]
        if scope == "user":
            needed.append(os.path.join(home, ".local/share/systemd/timers"))
    return needed


def systemd_version():
    """The version of systemd, or ``None`` where it is not process 1."""
    if not systemd_runs():
        return None
    code, output, _ = run(["systemctl", "--version"])
    found = re.match(r"systemd (\d+)", output)
    return int(found.group(1)) if code == 0 and found else None


def systemd_problems(version):
    """Why systemd could not start the check on time."""
    if version is None:
        return [
            "This host does not run systemd, as comfywatchman_scheduler wants it: set that to auto."
        ]
    if version < SYSTEMD_OLDEST:
        return [f"This host runs systemd {version}; the timer needs {SYSTEMD_OLDEST} or newer."]
    return []


def describe_python(name, account):
    """Path, version and missing modules of a Python, asked as the user; ``None`` if it is none."""
    search = os.environ.get("PATH", "") + ":/usr/local/bin:/usr/bin"
    path = name if os.path.isabs(name) else shutil.which(name, path=search)
    if not path:
        return None
    code, output, _ = run([*as_user(account), path, "-Ic", DESCRIBE_PYTHON])
    try:
        found = json.loads(output) if code == 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return None
    return {**found, "path": path, "version": tuple(found["version"])}


def choose_python(wanted, account):
    """``(python, problem)``: the Python to use, or a sentence that says why there is none."""
    oldest = ".".join(map(str, PYTHON_OLDEST))
    found = []
    for name in [wanted] if wanted else PYTHONS:
        python = describe_python(name, account)
        if python and python["version"] >= PYTHON_OLDEST and not python["missing"]:
            return python, None
        found += [python] if python else []
    new_enough = [python for python in found if python["version"] >= PYTHON_OLDEST]
    if new_enough:
        python = new_enough[0]
        short = "{}.{}".format(*python["version"])
        return None, (
            f"Python {short} at {python['path']} lacks the module {python['missing'][0]}: "
            f"install it (Debian and Ubuntu: apt install python{short}-venv)."
        )
    if found:
        python = found[0]
        short = "{}.{}".format(*python["version"])
        return None, (
            f"Python at {python['path']} is {short}, too old: install Python {oldest} or newer "
            "and name it in comfywatchman_python."
        )
    looked = wanted or ", ".join(PYTHONS)
    return None, (
        f"There is no Python {oldest} or newer (looked for: {looked}): install one, or name it in "
        "comfywatchman_python."
    )


@functools.cache
def analyzed(kind, *expressions):
    """``(exit code, what systemd-analyze says)`` of calendar expressions or time spans."""
    return run(["systemd-analyze", kind, "--", *expressions])[:2]


def expression_problems(kind, expressions):
    """What ``systemd-analyze`` has against calendar expressions or time spans."""
    if not expressions:
        return []
    example = {"calendar": '"*-*-* 00/2:00:00"', "timespan": '"90s", "5min" or "2h"'}[kind]
    name_of_kind = {"calendar": "calendar expression", "timespan": "time span"}[kind]
    if analyzed(kind, *expressions.values())[0] == 0:
        return []
    return [
        f"{name} is no {name_of_kind} that systemd knows: {value!r}; write for example {example}."
        for name, value in expressions.items()
        if analyzed(kind, value)[0] != 0
    ]


def time_limit_problems(given):
    """What is wrong with the time that systemd gives a check, beside what the check takes."""
    name, spans = TIMEOUT, given["timespans"]
    service = (given["overrides"].get("service") or {}).get("Service") or {}
    if TIMEOUT_OVERRIDE in service:
        name = f"comfywatchman_unit_overrides.service.Service.{TIMEOUT_OVERRIDE}"
        spans = {name: str(service[TIMEOUT_OVERRIDE])}
    seconds = seconds_of(spans).get(name) if spans else None
    if seconds is None or seconds >= given["cycle_time_limit"]:
        return []
    limit = f"{given['cycle_time_limit']:g}"
    said = (
        f"{name} is {spans[name]}, shorter than comfywatchman_cycle_time_limit ({limit} s): "
        "systemd would end a check before it tells what it has found. Set it to "
        f"{limit}s or more, or comfywatchman_cycle_time_limit to {seconds:g} or less."
    )
    return [said]


def seconds_of(spans):
    """Time spans of systemd's in seconds, by name; those that have no end, or are none, are out."""
    code, output = analyzed("timespan", *spans.values())
    found = re.findall(r"s: (\d+)$", output, re.MULTILINE) if code == 0 else []
    microseconds = dict(zip(spans, map(int, found), strict=False))
    return {name: span / 1e6 for name, span in microseconds.items() if 0 < span < ENDLESS}


def override_problems(overrides):
    """What keeps the drop-ins from being unit files."""
    problems = []
    for unit, sections in overrides.items():
        where = f"comfywatchman_unit_overrides.{unit}"
        if unit not in ("service", "timer"):
            problems.append(f"{where}: there are the units service and timer.")
            continue
        own = {"service": "Service", "timer": "Timer"}[unit]
        for section, directives in (
            (sections or {}).items() if is_mapping(sections, where, problems) else ()
        ):
            if section not in ("Unit", own, "Install"):
                problems.append(
                    f"{where}.{section}: a {unit} has the sections Unit, {own} and Install."
                )
            elif is_mapping(directives, f"{where}.{section}", problems):
                for name, value in directives.items():
                    lines = value if isinstance(value, list) else [value]
                    if not re.match(r"[A-Za-z0-9-]+$", name):
                        problems.append(f"{where}.{section}: {name!r} is no directive.")
                    elif any(isinstance(line, (dict, list)) or line is None for line in lines):
                        problems.append(
                            f"{where}.{section}.{name}: give a text or a list of texts."
                        )
                    elif any(
                        CONTROL.search(str(line)) or str(line).endswith("\\") for line in lines
                    ):
                        problems.append(
                            f"{where}.{section}.{name} holds a line break or another control "
                            "character, or ends in a backslash: write it on one line."
                        )
    return problems


def is_mapping(value, where, problems):
    """Whether it is a mapping; says so in ``problems`` if not."""
    if not isinstance(value, dict):
        problems.append(f"{where}: give a mapping, not {value!r}.")
    return isinstance(value, dict)


def working_sandbox(systemd, account, scope, groups):
    """``(names, problems)``: the groups of directives that work here, by running something in them.

    A service manager that lacks a right ignores some directives, of which ``mounts`` are, and fails
    to start the service because of others; which of both depends on its version and on the kernel.
    One that starts nothing at all tells nothing of them: that is a problem.
    """
    user = [f"User={account.pw_name}"] if scope == "system" else []

    def complaint(names, *command):
        directives = [item for name in names for item in groups[name]["directives"].items()]
        properties = [
            f"{directive}={value}"
            for directive, values in directives
            for value in (values if isinstance(values, list) else [values])
        ]
        return systemd.complaint_of_trial(user + properties, command)

    if not groups:
        return [], []
    everything = list(groups)
    places = [path for path in ("/", "/home") if os.path.isdir(path)]
    read_only = [sys.executable, "-ISc", ALL_READ_ONLY, *places]
    if not complaint(everything, *read_only):
        return everything, []
    without_mounts = [name for name in everything if name != "mounts"]
    if not complaint(without_mounts, "true"):
        return without_mounts, []
    said = complaint([], "true")
    if not said:
        return [], []
    whose = "The system's" if scope == "system" else account.pw_name + "'s"
    problem = (
        f"{whose} service manager starts no service, so no sandbox can be tried: systemd-run said "
        f"{said!r}. Mend that, or set comfywatchman_sandbox to off."
    )
    return [], [problem]


def path_problems(paths, comfyui_dir):
    """What is wrong with the paths given, wherever they lead."""
    problems = []
    for name, path in (("root", paths["root"]), ("state_dir", paths["state"])):
        if not os.path.isabs(path):
            problems.append(f"comfywatchman_{name} is no absolute path: {path!r}.")
    if re.search(r"""['"\\]""", paths["root"]):
        problems.append(
            f"comfywatchman_root holds a quote or a backslash: {paths['root']!r}; systemd starts "
            "no program from such a path, so choose another."
        )
    if not os.path.isabs(comfyui_dir):
        problems.append(f"comfywatchman_comfyui_dir is no absolute path: {comfyui_dir!r}.")
    return problems


def active_here(root):
    """The release that is active, or what says that one was; ``None`` if none ever was.

    Where one was, a deploy that fails takes nothing away.
    """
    linked = linked_release(root, "current")
    proven = glob.glob(os.path.join(glob.escape(root), "releases", "*", ".activated"))
    there = [path for path in (os.path.join(root, "current"), *proven) if os.path.lexists(path)]
    return linked or next(iter(there), None)


def link_problems(root):
    """What lies where the links to releases have to."""
    links = [os.path.join(root, name) for name in ("current", "previous")]
    return [
        f"{path} is no link to a release: move it out of the way, and run this again."
        for path in links
        if os.path.lexists(path) and not os.path.islink(path)
    ]


def look_problems(scope, scheduler, account, paths, comfyui_dir):
    """What the user may not read, and the owner of what is installed may not write."""

    def as_the_user():
        user = account.pw_name
        return [
            trials.comfyui_problem(user, comfyui_dir),
            trials.home_problem(user, account.pw_dir)
            if scope == "user"
            else trials.passage_problem(user, paths["root"]),
        ]

    def as_the_owner():
        places = {
            "comfywatchman_root": paths["root"],
            "comfywatchman_state_dir": paths["state"],
            "the settings": paths["config"],
        }
        if scheduler == "systemd":
            places["the units"] = paths["units"]
        if scope == "system":
            places["comfywatchman_state_dir"] = os.path.dirname(paths["state"])
        return trials.writing_problems(owner.pw_name if owner else "root", places)

    owner = account if scope == "user" else None
    problems = as_account(account, as_the_user) if os.path.isabs(comfyui_dir) else []
    return [text for text in problems if text] or as_account(owner, as_the_owner)


def main():
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "scope": {"type": "str", "choices": ["user", "system"], "required": True},
            "scheduler": {
                "type": "str",
                "choices": ["auto", "systemd", "apscheduler"],
                "default": "auto",
            },
            "instance": {"type": "str", "default": ""},
            "root": {"type": "str", "default": ""},
            "state_dir": {"type": "str", "default": ""},
            "comfyui_dir": {"type": "str", "default": ""},
            "textfile_dir": {"type": "str", "default": ""},
            "python": {"type": "str", "default": ""},
            "sources": {"type": "dict", "default": {}},
            "version": {"type": "str", "default": ""},
            "calendars": {"type": "dict", "default": {}},
            "timespans": {"type": "dict", "default": {}},
            "cycle_time_limit": {"type": "float", "default": 0},
            "texts": {"type": "dict", "default": {}},
            "overrides": {"type": "dict", "default": {}},
            "sandbox": {"type": "dict", "default": {}},
            "command_link": {"type": "bool", "default": True},
            "preflight": {"type": "bool", "default": True},
            "hashes": {"type": "bool", "default": False},
            "lease": {
                "type": "str",
                "choices": ["ignore", "respect", "take"],
                "default": "ignore",
            },
            "run": {"type": "dict", "default": {}},
            "wait": {"type": "int", "default": 0},
            "instead_of": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        look(module)
    except AccountError as error:
        module.fail_json(msg=str(error))


def look(module):
    """Look at the host, and end the module with what there is."""
    given = module.params
    scope = given["scope"]
    account = account_of(given["user"])
    record = binding(read_record(record_name(given["instance"])), given["user"])
    problems = []

    ill_formed = override_problems(given["overrides"])
    problems += ill_formed
    texts = {**given["calendars"], **given["timespans"], **given["texts"]}
    unsafe = [name for name, text in texts.items() if CONTROL.search(str(text))]
    problems += [
        f"{name} holds a line break or another control character: write it on one line."
        for name in unsafe
    ]

    if account is not None:
        home = account.pw_dir
    else:
        home = (record or {}).get("home", "/nonexistent")
        if given["user"]:
            problems.append(
                f"There is no user {given['user']!r} on this host: create it, or name the user who "
                "runs ComfyUI in comfywatchman_user."
            )
    instance, paths, others = instance_here(
        given["instance"], record, scope, account, home, given["root"], given["state_dir"]
    )
    problems += ownership_problems(paths, others) if given["preflight"] else []
    if not INSTANCE.fullmatch(given["instance"]):
        problems.append(
            f"comfywatchman_instance is {given['instance']!r}: up to 32 small letters, digits, "
            "hyphens and underscores make a name, a letter or a digit first."
        )

    systemd = systemd_version()
    scheduler = given["scheduler"]
    if scheduler == "auto":
        scheduler = "apscheduler" if systemd is None else "systemd"
    if scheduler == "systemd":
        problems += systemd_problems(systemd)

    becoming = trials.becoming_problem(account) if account is not None else None
    owner = account if scope == "user" and not becoming else None
    python = None
    release = {"id": None, "path": None, "complete": False, "damaged": []}
    if account is not None and not unsafe and given["preflight"]:
        if os.geteuid() not in (0, account.pw_uid if scope == "user" else 0):
            problems.append(
                f"The role runs as neither root nor {given['user']}: set become for these hosts."
            )
        if scheduler == "systemd" and systemd is not None:
            problems += expression_problems("calendar", given["calendars"])
            problems += expression_problems("timespan", given["timespans"])
            problems += [] if ill_formed else time_limit_problems(given)
        problems += path_problems(paths, given["comfyui_dir"])
        problems += [becoming] if becoming else []
        if not becoming:
            problems += look_problems(scope, scheduler, account, paths, given["comfyui_dir"])
            problems += as_account(owner, lambda: link_problems(paths["root"]))
            problem = textfile.problem(account, given["textfile_dir"])
            problems += [problem] if problem else []
            python, problem = choose_python(given["python"], account)
            problems += [problem] if problem else []
    if python is not None:
        identity = identity_of(given["version"], given["sources"], python)
        try:
            release = as_account(owner, lambda: choose(paths["root"], identity, given["hashes"]))
        except OSError as error:
            problems.append(
                f"The releases in {paths['root']} cannot be looked at: {error.filename or ''} "
                f"({error.strerror}); let {given['user']} in."
            )
        if not release["complete"]:
            who, write = owner.pw_name if owner else "root", not (problems or module.check_mode)
            problem = as_account(owner, lambda: trials.building_problem(who, paths["root"], write))
            problems += [problem] if problem else []

    lingering = is_lingering(given["user"])
    unprivileged = os.geteuid() != 0 and scope == "user" and account is not None
    unprivileged = unprivileged and scheduler == "systemd"
    if given["preflight"] and unprivileged and not lingering:
        problems.append(
            f"{given['user']}'s service manager ends with the last login, and only root may change "
            f"that: run 'sudo loginctl enable-linger {given['user']}', or set become for this host."
        )

    lingers = scope == "user" and scheduler == "systemd"
    needed = needed_directories(scope, scheduler, home, paths)
    if given["command_link"]:
        needed += Command(scope, paths, instance).directories()
    needed += [given["textfile_dir"]] if os.path.isabs(given["textfile_dir"]) else []
    declared, unready, waits_in = [], False, ""
    if lingers and account is not None:
        late = mounts.late([paths[name] for name in ("units", "root", "state")], account.pw_uid)
        declared = sorted({one.point for one in late if one.declared})
        unready = any(one.declared and not one.awaited for one in late)
        if os.geteuid() == 0 and declared:
            waits_in = mounts.drop_in_of(account.pw_uid)
        for one in late if given["preflight"] else ():
            if not one.awaited and not (waits_in and one.declared):
                module.warn("; ".join(mounts.warning(one, account.pw_uid)))
    same_user = record is not None and record["user"] == given["user"]
    enabled_before = same_user and record["scope"] == "user" and record["lingering_enabled"]
    made_before = (
        [relocated(path, record["home"], home) for path in record["made"]] if same_user else []
    )
    if not waits_in and same_user:
        waits_in = record.get("manager_waits_in", "")
    seen = as_account(
        owner,
        lambda: {
            "made": missing_directories(needed, made_before),
            "active": active_here(paths["root"]),
        },
    )
    wanted_record = {
        "user": given["user"],
        "home": home,
        "scope": scope,
        "scheduler": scheduler,
        "instance": instance,
        "paths": paths,
        **({"manager_waits_in": waits_in} if waits_in else {}),
        "lingering_enabled": lingers and (enabled_before or not lingering),
        "made": seen["made"],
    }
    moved = record is not None and (
        any(record.get(key) not in (None, wanted_record[key]) for key in INSTALLED_BY)
        or record["paths"]["root"] != paths["root"]
        or record.get("instance", given["instance"]) != instance
    )
    if moved and record["paths"]["root"] == paths["root"]:
        release["complete"] = False  # it goes with the rest of the earlier installation
    manager = Systemd(scope, account) if account is not None else None
    running = scheduler == "systemd" and manager is not None and manager.running
    sandbox = None
    if running:
        sandbox, untried = working_sandbox(manager, account, scope, given["sandbox"])
        problems += untried
    lease, held_by, problem = {}, None, None
    if given["lease"] != "ignore" and not module.check_mode:
        acting = wanted_record if given["preflight"] else record or wanted_record
        renewing = account_of(acting["user"]) if acting["scope"] == "user" else None
        lease, held_by, problem = hold(given, acting["paths"]["root"], renewing, problems)
    if problem and not given["preflight"]:
        module.fail_json(msg=problem, held_by=held_by)
    problems += [problem] if problem else []
    module.exit_json(
        changed=False,
        scheduler=scheduler,
        instance=instance,
        paths=paths,
        python=python
        and {
            "path": python["path"],
            "version": ".".join(map(str, python["version"])),
            "machine": python["machine"],
            "glibc": python["glibc"],
        },
        release=release,
        lease=lease,
        held_by=held_by,
        record=record,
        wanted_record=wanted_record,
        moved=moved,
        active=seen["active"],
        as_owner=starting_as(owner),
        privileged=os.geteuid() == 0,
        lingering=lingering,
        textfile_dir_waits=bool(given["textfile_dir"]) and not os.path.isdir(given["textfile_dir"]),
        manager_waits=mounts.drop_in(declared) if waits_in and unready else "",
        manager=running,
        sandbox=sandbox,
        ca_bundle=next((path for path in CA_BUNDLES if os.path.exists(path)), ""),
        problems=problems,
    )


def binding(record, user):
    """What was noted down, if it concerns this run: of somebody else's, none but root's.

    Without root nothing of theirs can be taken away, and what ``user`` has is not noted down.
    """
    if record is None or os.geteuid() == 0 or user in ("", record["user"]):
        return record
    return None


def identity_of(version, sources, python):
    """Id of the release that these sources and this Python make: it tells two of them apart."""
    digest = hashlib.sha256(
        json.dumps([sources, python["path"], python["version"][:2]], sort_keys=True).encode()
    ).hexdigest()
    short = "{}.{}".format(*python["version"])
    return f"{version}-py{short}-{digest[:12]}"


def hold(given, root, owner, problems):
    """``(lease, who holds it, problem)``: take the lease, or see whether another run has it."""
    lease, run = Lease(path_of(given["instance"], root)), given["run"]
    how = {"wait": given["wait"], "instead_of": given["instead_of"] or None}
    try:
        if given["lease"] == "respect" or problems:
            lease.respect(run, **how)
            return {}, None, None
        lease.take(run, owner, **how)
    except HeldError as error:
        return {}, error.holder, str(error)
    except OSError as error:
        # Where nothing can be written any more, what is there can still be removed.
        problem = f"This host cannot be held: {lease.path}: {error.strerror}."
        return {}, None, problem if given["preflight"] else None
    return {"path": lease.path, "run": run["run"]}, None, None


if __name__ == "__main__":
    main()
