#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: what root has to undo once an installation is gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: unregister
short_description: Forget an installation of ComfyWatchman that was removed
description:
  - Removes the note about it, and what had the user's service manager wait for a mount. Lingering
    ends, and directories go, if an installation brought them and no other instance of the same user
    is left to need them; else the note about that instance names them from now on. The service
    manager of a user who is gone ends.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  keep_lingering: {description: Whether lingering stays as it is., type: bool, default: false}
"""

EXAMPLES = r"""
- name: Forget an installation that was removed
  comfywatchman.ops.unregister:
    instance: gpu1
  become: true
"""

RETURN = r"""
actions:
  description: what was, or would be, done
  type: list
  elements: str
  returned: always
  sample: [loginctl disable-linger comfy]
"""

import contextlib
import fcntl
import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    as_account,
    is_lingering,
    linger_file,
    owner_of,
    owner_on_the_way,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import remove_if_empty, write
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    RECORDS,
    account_of,
    read_record,
    record_name,
    relocated,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import attempt, run


@contextlib.contextmanager
def exclusive_access():
    """Two instances of a host may be removed in the same moment; one after the other, then."""
    with open("/run/comfywatchman.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def other_installation(name, record):
    """``(file name, record)`` of another installation of the same user, or ``(None, None)``."""
    for other in sorted(os.listdir(RECORDS)):
        if other != name and other.startswith("installation"):
            found = read_record(other)
            if found and found["user"] == record["user"]:
                return other, found
    return None, None


def taken_over(other, record):
    """The record of another installation that is to undo what both have brought."""
    made = sorted({*other["made"], *record["made"]}, key=lambda path: (-path.count("/"), path))
    return {
        **other,
        "made": made,
        "lingering_enabled": other["lingering_enabled"] or record["lingering_enabled"],
    }


def end_lingering(user, owner):
    """End it; for a user who is gone, their service manager too, which nobody else would end."""
    account = account_of(user)
    if account is None:
        os.unlink(linger_file(user))
        if owner is not None:
            ended = [f"{name}@{owner.pw_uid}.service" for name in ("user", "user-runtime-dir")]
            attempt(run, ["systemctl", "stop", *ended])
        return
    code, _, complaint = run(["loginctl", "disable-linger", account.pw_name])
    if code != 0:
        raise OSError(code, complaint, user)


def forget(drop_in):
    """Let the user's manager wait for nothing any more."""
    if os.path.lexists(drop_in):
        os.unlink(drop_in)
    remove_if_empty(os.path.dirname(drop_in))
    run(["systemctl", "daemon-reload"])


def remove_directories(record, owner):
    """Remove those that the installation made, and are empty now, as whoever made them."""
    account = account_of(record["user"])
    homes = {record["home"], account.pw_dir if account else record["home"]}
    made = [relocated(path, record["home"], home) for home in homes for path in record["made"]]
    as_account(owner, lambda: [path for path in made if remove_if_empty(path)])
    # One that root made for the user, and what is above it.
    for path in made:
        if owner_on_the_way(os.path.dirname(path)) is None:
            remove_if_empty(path)


def main():
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "str", "default": ""},
            "keep_lingering": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    name = record_name(module.params["instance"])
    actions = []
    if read_record(name) is None:
        module.exit_json(changed=False, actions=[])
    try:
        with exclusive_access():
            record = read_record(name)
            if record is None:
                module.exit_json(changed=False, actions=[])
            user, places = record["user"], record["paths"].values()
            owner = owner_of(user, record["home"], places) if record["scope"] == "user" else None
            ours = record["lingering_enabled"] and not module.params["keep_lingering"]
            other_name, other = other_installation(name, record)
            actions.append(f"remove {os.path.join(RECORDS, name)}")
            if other:
                merged = taken_over(other, record)
                if merged != other:
                    actions.append(f"write {os.path.join(RECORDS, other_name)}")
            elif ours and is_lingering(user):
                actions.append(f"loginctl disable-linger {user}")
            waits_in = record.get("manager_waits_in", "")
            if waits_in and (other or {}).get("manager_waits_in") != waits_in:
                actions.append(f"remove {waits_in}")
            else:
                waits_in = ""
            if module.check_mode:
                module.exit_json(changed=True, actions=actions)
            if waits_in:
                forget(waits_in)
            if other:
                text = json.dumps(merged, indent=2) + "\n"
                write(os.path.join(RECORDS, other_name), text.encode(), 0o644)
            else:
                if ours and is_lingering(user):
                    end_lingering(user, owner)
                remove_directories(record, owner)
            os.unlink(os.path.join(RECORDS, name))
            remove_if_empty(RECORDS)
    except AccountError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=True, actions=actions)


if __name__ == "__main__":
    main()
