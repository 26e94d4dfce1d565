# SPDX-License-Identifier: MIT
"""Several hosts may have one home: whose the folders of an installation are, and its name here."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import as_user
from ansible_collections.comfywatchman.ops.plugins.module_utils.host import (
    OWNER,
    claim,
    here,
    instance_name,
    read,
    understood,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import paths_of
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import run

VARIABLES = {
    "root": "comfywatchman_root",
    "config": "comfywatchman_instance",  # the units are named as this folder is
    "state": "comfywatchman_state_dir",
}
OWNED = tuple(VARIABLES)


def owner_of(folder, account):
    """The host that a folder belongs to, or ``None``; where root may not look, its user does."""
    try:
        return read(folder)
    except PermissionError:
        if account is None:
            return None
        look = ["timeout", "5", "head", "--bytes=65537", "--", os.path.join(folder, OWNER)]
        code, output, _ = run([*as_user(account), *look])
        return understood(output.encode()) if code == 0 else None


def other_hosts(paths, account):
    """``{"root": host}`` of the folders that belong to other hosts."""
    this = here()
    owners = {name: owner_of(paths[name], account) for name in OWNED}
    return {name: owner for name, owner in owners.items() if owner and this.is_other_than(owner)}


def instance_here(asked, record, scope, account, home, root, state_dir):
    """``(instance, paths, other hosts)``: the name of an instance on this host, and its folders.

    It is the name asked for, unless another host has it in a home that both use; and it stays as it
    is once an installation has noted it down. The other hosts are those of the last name tried: if
    there are any, there is no name, as the folders are given and not by name.
    """
    noted = [record["instance"]] if record and "instance" in record else []
    for instance in dict.fromkeys([*noted, asked, *instance_name(asked, here())]):
        paths = paths_of(scope, home, root, state_dir, instance)
        others = other_hosts(paths, account)
        if not others:
            break
    return instance, paths, others


def ownership_problems(paths, others):
    """Sentences on folders of other hosts, which go by no name of an instance."""
    return [
        f"{paths[name]} belongs to the host {owner.shown}, with which this one shares it: give "
        f"each host its own with {VARIABLES[name]}, or leave that empty. If it is this host's "
        "after all (a clone, a restored backup): rm "
        + shlex.quote(os.path.join(paths[name], OWNER))
        for name, owner in others.items()
    ]


def unclaimed(paths, account):
    """Whether one of the folders does not say, or not in today's words, that it is this host's."""
    this = here()
    owners = [owner_of(paths[name], account) for name in OWNED]
    return any(owner is None or replace(owner, given="") != this for owner in owners)


def claim_folder(name, paths):
    """Note down that a folder is this host's; a sentence if another host has just done so."""
    owner = claim(paths[name], here())
    return ownership_problems(paths, {name: owner})[0] if owner else ""
