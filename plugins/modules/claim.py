#!/usr/bin/python
# SPDX-License-Identifier: MIT
"""Ansible module: note down that the folders of an installation are this host's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: claim
short_description: Note down that the folders of releases and settings belong to this host
description:
  - Several hosts may have one home. Of two that claim a folder at once, one comes first; the other
    is told whose it is.
author: The ComfyWatchman maintainers (!UNKNOWN)
options:
  owner: {description: The user who does it; empty for this process's., type: str, default: ''}
  paths:
    description: >-
      root, config: as the probe found them.
    type: dict
    required: true
  directory_mode: {description: Mode of the folders that are made., type: str, required: true}
"""

EXAMPLES = r"""
- name: Note down that the folders are this host's
  comfywatchman.ops.claim:
    owner: comfy
    paths: {root: /srv/comfy/releases, config: /srv/comfy/settings}
    directory_mode: "0700"
  become: true
"""

RETURN = r"""
taken:
  description: >-
    a sentence on the host that was faster; empty if it is this one
  type: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.comfywatchman.ops.plugins.module_utils.accounts import carry_out
from ansible_collections.comfywatchman.ops.plugins.module_utils.files import make_directories
from ansible_collections.comfywatchman.ops.plugins.module_utils.installation import account_of
from ansible_collections.comfywatchman.ops.plugins.module_utils.ownership import claim_folder


def main():
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "default": ""},
            "paths": {"type": "dict", "required": True},
            "directory_mode": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    carry_out(module, account_of(module.params["owner"]), work)


def work(module):
    """Claim them."""
    paths, mode = module.params["paths"], int(module.params["directory_mode"], 8)
    if module.check_mode:
        module.exit_json(changed=True, taken="")
    for name in ("root", "config"):
        make_directories(paths[name], mode)
        taken = claim_folder(name, paths)
        if taken:
            module.exit_json(changed=False, taken=taken)
    module.exit_json(changed=True, taken="")


if __name__ == "__main__":
    main()
