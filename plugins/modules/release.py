#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: the folder that a release is built in, from its first file to its last."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Begin, complete or give up the building of a release of ComfyWatchman
description:
  - A release is built in a folder that this run has made and that nobody else uses. It is complete
    once every file is what its package brought, and from then on it goes only as an old one.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  state:
    description: >-
      C(begun) makes the folder, which must not be there. C(complete) compares every file with
      what its package says and marks the release. C(given_up) removes the folder, if this
      run made it and did not complete it.
    type: str
    choices: [begun, complete, given_up]
    required: true
  path: {description: The folder., type: path, required: true}
  owner: {description: 'The account whose it is to be; empty for root.', type: str, default: ''}
  directory_mode: {description: For directories that are made., type: str, default: '0700'}
  mode: {description: For the files., type: str, default: '0600'}
  description: {description: 'What is installed, for people; a text.', type: str, default: ''}
  lease: {description: What the probe returned of it., type: dict, default: {}}
"""

EXAMPLES = r"""
# The role does this, with what the module comfywatchman.ops.probe found out.
- name: Begin a release
  comfywatchman.ops.release:
    state: begun
    path: "{{ host.release.path }}"
    owner: comfy
    lease: "{{ host.lease }}"
  become: true
"""

RETURN = r"""
lost:
  description: >-
    why the run does not hold the host any more, a sentence; empty if it does
  type: str
  returned: always
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import carry_out
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import (
    make_directories,
    read,
    write,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import (
    account_of,
    linked_release,
)
from ansible_collections.comfywatchman.ops.plugins.module_utils.integrity import COMPLETE, seal
from ansible_collections.comfywatchman.ops.plugins.module_utils.lease import Held, LostError
from ansible_collections.comfywatchman.ops.plugins.module_utils.releases import (
    BUILDING,
    first_damage,
)


class UnusableError(Exception):
    """The folder is not what this run has made, or what it was told to make it into."""


class Building:
    """A release that this run is building."""

    def __init__(self, given):
        self.path = given["path"]
        self.run = given["lease"].get("run", "").encode()
        self.mode = int(given["mode"], 8)
        self.directory_mode = int(given["directory_mode"], 8)
        self.mark = os.path.join(self.path, BUILDING)

    def begin(self):
        """Make the folder; whoever makes it builds there."""
        make_directories(os.path.dirname(self.path), self.directory_mode)
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            raise UnusableError(
                f"{self.path} has been made meanwhile, so another run is at work: run this again."
            ) from None
        try:
            write(self.mark, self.run, 0o600)
        except OSError:
            os.rmdir(self.path)  # without the mark it would be nobody's
            raise
        os.chmod(self.path, self.directory_mode)

    def complete(self, description):
        """Mark it complete, if every file is what its package says."""
        if read(self.mark) != self.run:
            raise UnusableError(f"{self.path} is not what this run has built: run this again.")
        damaged = first_damage(self.path, hashes=True, built=False)
        if damaged:
            raise UnusableError(
                f"What was installed is not what its packages say: {damaged[0]}. Is the disk full, "
                "or damaged?"
            )
        text = description.strip() + "\n" + seal(self.path)
        write(os.path.join(self.path, COMPLETE), text.encode(), self.mode)
        os.unlink(self.mark)

    def give_up(self):
        """Remove it, unless it is complete, in use, or another run's."""
        root = os.path.dirname(os.path.dirname(self.path))
        used = {linked_release(root, name) for name in ("current", "previous")}
        if (
            os.path.exists(os.path.join(self.path, COMPLETE))
            or os.path.basename(self.path) in used
            or read(self.mark) != self.run
        ):
            return False
        shutil.rmtree(self.path)
        return True


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["begun", "complete", "given_up"],
                "required": True,
            },
            "path": {"type": "str", "required": True},
            "owner": {"type": "str", "default": ""},
            "directory_mode": {"type": "str", "default": "0700"},
            "mode": {"type": "str", "default": "0600"},
            "description": {"type": "str", "default": ""},
            "lease": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    carry_out(module, account_of(module.params["owner"]), work)


def work(module):
    """Do it, in a process of the owner's."""
    given = module.params
    if module.check_mode:
        module.exit_json(changed=True, lost="")
    building, lost = Building(given), ""
    try:
        try:
            Held(given["lease"]).renew()
        except LostError as error:
            if given["state"] != "given_up":
                module.fail_json(msg=str(error))
            lost = str(error)
        if given["state"] == "begun":
            building.begin()
        elif given["state"] == "complete":
            building.complete(given["description"])
        else:
            module.exit_json(changed=building.give_up(), lost=lost)
    except UnusableError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, lost=lost)


if __name__ == "__main__":
    main()
