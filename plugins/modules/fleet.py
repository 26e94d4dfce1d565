#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""What the action comfywatchman.ops.fleet is documented by."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Make one picture of what was collected from every host
description:
  - Reads what M(comfywatchman.ops.collect) fetched, and writes C(fleet.json), C(fleet.md) and
    C(fleet.html) beside it, for their owner alone. Asks no host, and does not fail because
    something is not well.
  - This is an action, which runs the program C(comfywatchman fleet) on the controller, out of this
    collection, with no more than what Ansible itself needs.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  folder:
    description: The folder on the controller; relative to where the playbook is run.
    type: str
    required: true
  hosts:
    description: Names of all hosts that should be there.
    type: list
    elements: str
    required: true
  asked:
    description: Names of the hosts that this run asked.
    type: list
    elements: str
    required: true
  started_at:
    description: When the run began, in seconds since 1970.
    type: float
    required: true
  fail_on:
    description: >-
      When not all is well. V(hosts), if a host is not; V(broken) or V(partial), also if a workflow
      is that or worse, on any of them; V(never), at no time.
    type: str
    choices: [hosts, broken, partial, never]
    required: true
  stale_after:
    description: Hours after which a report is stale; empty for two of the host's own intervals.
    type: str
    required: true
seealso:
  - module: comfywatchman.ops.collect
"""

EXAMPLES = r"""
- name: Make one picture of them
  comfywatchman.ops.fleet:
    folder: fleet-report
    hosts: "{{ groups.comfyui }}"
    asked: "{{ ansible_play_hosts_all }}"
    started_at: "{{ started_at }}"
    fail_on: hosts
    stale_after: ""
  run_once: true
"""

RETURN = r"""
well: {description: whether all is well, type: bool, returned: success}
msg:
  description: what the program printed
  type: list
  elements: str
  returned: success
"""
