# SPDX-License-Identifier: MIT
"""An installation on a host: its names, its folders, what was noted down of it."""

from __future__ import annotations

import datetime as dt
import json
import os
import pwd
import stat

from ansible_collections.comfywatchman.ops.plugins.module_utils.files import read
from ansible_collections.comfywatchman.ops.plugins.module_utils.state_files import LAST_RUN

CREDENTIALS = ["comfyui_token", "comfyui_basic_auth", "notify_urls", "ping_url", "download_token"]
RECORDS = "/var/lib/comfywatchman"
SETTINGS = "config.toml"
ACCEPTED = "accepted.toml"  # the host's own; a team's is the role's to write
TEAM_ACCEPTED = "accepted.team.toml"
LAST_RUN_BYTES = 1024**2


def name_of(instance):
    """What units, folders and the record of an instance are named after; the usual one has no name.

    ``comfywatchman``, or ``comfywatchman-gpu1`` for the instance ``gpu1``.
    """
    return "comfywatchman" + ("-" + instance if instance else "")


def account_of(name):
    """The user's entry in the host's user database, or ``None``."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def paths_of(scope, home, root, state_dir, instance):
    """Where everything is on this host; a leading ``~/`` is the user's home."""
    name = name_of(instance)

    def expand(path, usual):
        path = path or usual
        return os.path.normpath(os.path.join(home, path[2:]) if path.startswith("~/") else path)

    if scope == "user":
        usual = {
            "root": "~/.local/share/" + name,
            "config": "~/.config/" + name,
            "state": "~/.local/state/" + name,
            "units": "~/.config/systemd/user",
            "bin": "~/.local/bin",
            "share": "~/.local/share",
        }
    else:
        usual = {
            "root": "/opt/" + name,
            "config": "/etc/" + name,
            "state": f"/var/lib/{name}/state",
            "units": "/etc/systemd/system",
            "bin": "/usr/local/bin",
            "share": "/usr/local/share",
        }
    given = {"root": root, "state": state_dir}
    return {name: expand(given.get(name, ""), path) for name, path in usual.items()}


def relocated(path, before, now):
    """Where a path is after a home was moved; one that is not below it stays."""
    inside = path == before or path.startswith(os.path.join(before, ""))
    return os.path.normpath(now + path[len(before) :]) if inside else path


def record_name(instance):
    """Name of the file, in ``RECORDS``, in which an installation is noted down."""
    return f"installation-{instance}.json" if instance else "installation.json"


def read_record(file_name):
    """What an installation noted down, or ``None``; only root can have written it."""
    try:
        return json.loads(read(os.path.join(RECORDS, file_name)) or b"null")
    except ValueError:
        return None


def linked_release(root, name):
    """Id of the release that a link in ``root`` points to, or ``None``."""
    try:
        return os.path.basename(os.readlink(os.path.join(root, name)))
    except OSError:
        return None


def seconds_of(moment):
    """Seconds since 1970 of an ISO 8601 time; 0 if it is none."""
    try:
        return dt.datetime.fromisoformat(moment).timestamp()
    except (TypeError, ValueError):
        return 0


def read_last_run(state):
    """The content of ``last-run.json`` in a state folder, or ``None``.

    The folder is the user's, and root may be reading: no link is followed, and no
    pipe waited for.
    """
    path = os.path.join(state, LAST_RUN)
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            text = file.read(LAST_RUN_BYTES + 1)
        found = json.loads(text) if len(text) <= LAST_RUN_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
