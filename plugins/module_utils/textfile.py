# SPDX-License-Identifier: MIT
"""The folder that node_exporter reads: who makes it, who may write there, what in it is ours."""

from __future__ import annotations

import glob
import json
import os
import re
import stat

from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    as_account,
    name_of_uid,
    owner_on_the_way,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import make_directories
from ansible_collections.comfywatchman.ops.plugins.module_utils.trials import nearest_folder

SETTING = re.compile(rb'^textfile_dir = (".*")$', re.MULTILINE)
VARIABLE = "comfywatchman_textfile_dir"


def folder_in(settings):
    """The folder that a content of config.toml names, which the role has written; else empty."""
    found = SETTING.search(settings or b"")
    try:
        return json.loads(found.group(1)) if found else ""
    except ValueError:
        return ""


def ours_in(folder, name):
    """What an installation of that name has put into the folder, as far as it is there."""
    if not folder:
        return []
    file = os.path.join(folder, f"{name}.prom")
    parts = os.path.join(glob.escape(folder), f".{glob.escape(name)}.prom.*.part")
    return [path for path in [file, *sorted(glob.glob(parts))] if os.path.lexists(path)]


def remove_from(folder, name):
    """Remove what an installation of that name has put there, as whoever decides what is there."""
    for path in ours_in(folder, name):
        as_account(owner_on_the_way(folder), lambda path=path: os.unlink(path))


def problem(account, folder):
    """Why the account's checks could not write there, a sentence; ``None`` if they can."""
    if not folder:
        return None
    if not os.path.isabs(folder):
        return f"{VARIABLE} is no absolute path: {folder!r}."
    who, there = account.pw_name, nearest_folder(folder)

    def may_write():
        return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)

    if there != folder:
        maker = owner_on_the_way(there)
        maker_fits = maker is None or maker.pw_uid == account.pw_uid
        if maker_fits and as_account(maker, may_write):
            return None
        return (
            f"{VARIABLE} is {folder}, which cannot be made for {who} in {there} "
            f"({described(there)}): make it and give it to {who}, or name another."
        )
    if as_account(account, may_write):
        return None
    return (
        f"{who} may not write to {folder} ({described(folder)}), for {VARIABLE}: name a folder of "
        "its own, which the role makes, and have node_exporter read that (docs/monitoring.md says "
        f"how); or let {who} in, who may then replace what others have there: "
        f"setfacl --modify u:{who}:rwx {folder}"
    )


def described(folder):
    found = os.stat(folder)
    if not stat.S_ISDIR(found.st_mode):
        return "no folder"
    return f"it belongs to {name_of_uid(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o}"


def make(account, folder):
    """Make the folder for the account to write to, and everybody to read."""
    maker = owner_on_the_way(nearest_folder(folder))
    as_account(maker, lambda: make_directories(folder, 0o755))
    if maker is None and os.geteuid() == 0:
        os.chown(folder, account.pw_uid, account.pw_gid)
