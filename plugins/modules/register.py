#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: what root has to do before an installation is made."""

from __future__ import annotations

DOCUMENTATION = r"""
module: register
short_description: Provide the user's service manager, and note down what is about to be installed
description:
  - Notes down the installation, has the manager run without a login, starts it and asks it, by its
    own socket. When a step fails, those before it are taken back.
  - What C(comfywatchman.ops.unregister) undoes.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  instance: {description: Name of the instance; empty for the usual one., type: str, default: ''}
  record: {description: What is to be noted down; empty for nothing., type: dict, default: {}}
  user: {description: The user who runs ComfyUI., type: str, required: true}
  manager:
    description: >-
      Whether the user's own service manager is needed.
    type: bool
    default: false
  textfile_dir:
    description: >-
      Folder that node_exporter reads, made for the user if it is not there.
    type: str
    default: ''
  lease: {description: What the probe returned of it., type: dict, default: {}}
"""

EXAMPLES = r"""
# The role does this, with what the module comfywatchman.ops.probe found out.
- name: Provide the user's service manager
  comfywatchman.ops.register:
    user: comfy
    record: "{{ host.wanted_record }}"
    manager: true
    lease: "{{ host.lease }}"
  become: true
"""

RETURN = r"""
actions: {description: what was, or would be, done, type: list, elements: str, returned: always}
"""

import contextlib
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils import textfile
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import (
    AccountError,
    is_lingering,
    linger_file,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    make_directories,
    remove_if_empty,
    write,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    RECORDS,
    account_of,
    read_record,
    record_name,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError
from ansible_collections.comfywatchman.ops.plugins.module_utils.systemd import Systemd, run

ANSWER_SECONDS = 60


class RefusedError(Exception):
    """The host does not do what is needed; the text is the sentence about it."""


def first_line(text):
    return text.partition("\n")[0]


class Registration:
    """An installation about to be noted down, and the service manager that it needs."""

    def __init__(self, given):
        self.account = account_of(given["user"])
        self.name = record_name(given["instance"])
        self.wanted = given["record"]
        self.before = read_record(self.name)
        self.textfile_dir = given["textfile_dir"]
        self.needs_manager = given["manager"]
        self.manager = Systemd("user", self.account) if self.needs_manager else None
        self.undo = contextlib.ExitStack()

    @property
    def unit(self):
        return f"user@{self.account.pw_uid}.service"

    def steps(self):
        """``(sentence, function)`` of what is to be done, in its order."""
        steps = []
        if self.wanted and self.wanted != self.before:
            steps.append((f"write {os.path.join(RECORDS, self.name)}", self.note))
        if self.textfile_dir and not os.path.isdir(self.textfile_dir):
            steps.append((f"make {self.textfile_dir}", self.make_textfile_dir))
        if self.needs_manager and not is_lingering(self.account.pw_name):
            steps.append((f"loginctl enable-linger {self.account.pw_name}", self.linger))
        # After lingering: a manager that logind sees no reason for may be ended as it begins.
        if self.needs_manager and not self.manager.running:
            steps.append((f"systemctl start {self.unit}", self.start))
        return steps

    def start(self):
        code, _, error = run(["systemctl", "start", self.unit], timeout=2 * ANSWER_SECONDS)
        self.undo.callback(run, ["systemctl", "stop", self.unit])
        if code != 0:
            raise RefusedError(
                f"{self.account.pw_name}'s service manager does not start: tried 'systemctl start "
                f"{self.unit}', which said {first_line(error)!r}{self.reason()}. Mend that (its "
                f"journal: 'journalctl --unit={self.unit}'), or set comfywatchman_scope to system."
            )
        give_up = time.monotonic() + ANSWER_SECONDS
        while not self.manager.running:
            if time.monotonic() > give_up:
                raise RefusedError(
                    f"{self.account.pw_name}'s service manager was started and does not answer: "
                    f"'systemctl --user is-system-running' as {self.account.pw_name} got no word "
                    f"in {ANSWER_SECONDS} s. See 'journalctl --unit={self.unit}', or set "
                    "comfywatchman_scope to system."
                )
            time.sleep(0.1)

    def reason(self):
        """What systemd knows of why the manager did not start, where that says more."""
        code, shown, _ = run(["systemctl", "show", self.unit, "--property=ExecMainStatus"])
        if code == 0 and shown.strip().endswith("=224"):
            return (
                "; PAM refused it (224/PAM): see /etc/pam.d/systemd-user, "
                "/etc/security/access.conf, and whether the account is locked or has expired"
            )
        return ""

    def note(self):
        make_directories(RECORDS, 0o755)
        self.undo.callback(remove_if_empty, RECORDS)
        self.put(self.wanted)
        self.undo.callback(self.forget)

    def make_textfile_dir(self):
        textfile.make(self.account, self.textfile_dir)
        self.undo.callback(remove_if_empty, self.textfile_dir)

    def put(self, record):
        text = json.dumps(record, indent=2) + "\n"
        write(os.path.join(RECORDS, self.name), text.encode(), 0o644)

    def forget(self):
        if self.before is not None:
            self.put(self.before)
            return
        os.unlink(os.path.join(RECORDS, self.name))

    def linger(self):
        name = self.account.pw_name
        self.undo.callback(run, ["loginctl", "disable-linger", name])
        code, _, error = run(["loginctl", "enable-linger", name])
        if code != 0 or not is_lingering(name):
            found = (
                repr(first_line(error)) if error else "nothing, and left no " + linger_file(name)
            )
            raise RefusedError(
                f"{name}'s service manager would end with the last login: tried 'loginctl "
                f"enable-linger {name}', which said {found}. It needs systemd-logind and the "
                "system's D-Bus (Debian and Ubuntu: apt install dbus libpam-systemd); provide "
                "them, or set comfywatchman_scope to system."
            )


def main():
    module = AnsibleModule(
        argument_spec={
            "instance": {"type": "str", "default": ""},
            "record": {"type": "dict", "default": {}},
            "user": {"type": "str", "required": True},
            "manager": {"type": "bool", "default": False},
            "textfile_dir": {"type": "str", "default": ""},
            "lease": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    registration = Registration(module.params)
    steps = registration.steps()
    if not module.check_mode:
        try:
            Held(module.params["lease"]).renew()
            with registration.undo:
                for _, step in steps:
                    step()
                registration.undo.pop_all()
        except (AccountError, LostError, RefusedError) as error:
            module.fail_json(msg=str(error))
        except OSError as error:
            module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(steps), actions=[sentence for sentence, _ in steps])


if __name__ == "__main__":
    main()
