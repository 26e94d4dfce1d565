#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""What the action comfywatchman.ops.collect is documented by."""

from __future__ import annotations

DOCUMENTATION = r"""
module: collect
short_description: Fetch what a host reports into a folder on the controller
description:
  - Asks the host by one remote call, to the module M(comfywatchman.ops.status), and writes what it
    said to a file of its own, C(hosts/NAME.json), which is replaced in one step and is for its
    owner alone.
  - A host that cannot be asked keeps what it last said, beside the reason. Nothing is changed on a
    host, and the task does not fail for one that is not well, unless it cannot be reached.
  - This is an action, of which nothing runs on the host but that module.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  folder:
    description: >-
      The folder on the controller, made if it is not there; relative to where the playbook is run.
    type: str
    required: true
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
  verify: {description: Whether to have systemd verify the units., type: bool, default: false}
seealso:
  - module: comfywatchman.ops.fleet
  - module: comfywatchman.ops.status
"""

EXAMPLES = r"""
- name: Ask every host
  comfywatchman.ops.collect:
    folder: fleet-report
    user: comfy
    scope: user
  become: true
"""

RETURN = r"""
msg:
  description: why the host gave no answer
  type: str
  returned: when it gave none
"""
